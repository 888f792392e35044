/* Takes one kind of sync away from a program that is preloaded with this: the experiment must find the harm. WITHOUT says which:
 * fsync-file, fsync-folder, fdatasync, syncfs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int is_without(const char *kind)
{
	const char *without = getenv("WITHOUT");
	return without && strcmp(without, kind) == 0;
}

static int really(const char *name, int file)
{
	int (*call)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
	return call(file);
}

int fsync(int file)
{
	struct stat about;
	int is_folder = fstat(file, &about) == 0 && S_ISDIR(about.st_mode);
	return is_without(is_folder ? "fsync-folder" : "fsync-file") ? 0 : really("fsync", file);
}

int fdatasync(int file)
{
	return is_without("fdatasync") ? 0 : really("fdatasync", file);
}

int syncfs(int file)
{
	return is_without("syncfs") ? 0 : really("syncfs", file);
}
