//! A wall clock that is off, for one program: a small library, loaded before the C library's own, that this machine's clock is never
//! touched by.

use super::command::run;
use super::scratch::Scratch;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Adds the seconds in the file `$CLOCK_OFFSET` to the wall clock. Who sets the clock changes that file. No NTP client has set it
/// until there is a file `$CLOCK_SET`.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

static long offset(void)
{
    long value = 0;
    const char *path = getenv("CLOCK_OFFSET");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (fscanf(file, "%ld", &value) != 1)
            value = 0;
        fclose(file);
    }
    return value;
}

static int real_gettime(clockid_t clock, struct timespec *time)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    return real(clock, time);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = real_gettime(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += offset();
    return result;
}

int clock_settime(clockid_t clock, const struct timespec *time)
{
    struct timespec now;
    const char *path = getenv("CLOCK_OFFSET");
    FILE *file;
    (void)clock;
    if (!path || real_gettime(CLOCK_REALTIME, &now) != 0 || !(file = fopen(path, "w")))
        return -1;
    fprintf(file, "%ld", (long)(time->tv_sec - now.tv_sec));
    fclose(file);
    return 0;
}

int adjtimex(struct timex *time)
{
    const char *path = getenv("CLOCK_SET");
    FILE *set = path ? fopen(path, "r") : NULL;
    time->status = set ? 0 : STA_UNSYNC;
    if (set)
        fclose(set);
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *out, void *zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"#;

/// A wall clock for the programs of one test.
#[derive(Debug)]
pub struct WrongClock {
    library: PathBuf,
    offset: PathBuf,
    set: PathBuf,
    _scratch: Scratch,
}

impl WrongClock {
    /// One that is right as yet. `None` where there is no C compiler.
    pub fn new() -> Option<WrongClock> {
        let scratch = Scratch::new();
        let (source, library) = (scratch.write("shim.c", SHIM), scratch.path("shim.so"));
        Command::new("cc").arg("--version").output().ok()?;
        run(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl"), LIMIT).ok();
        let offset = scratch.write("offset", "0");
        let set = scratch.path("set");
        Some(WrongClock { library, offset, set, _scratch: scratch })
    }

    /// Turns it, so many seconds from the right time, also under programs that run.
    #[track_caller]
    pub fn turn(&self, seconds: i64) {
        // Replaced whole: a program may be reading it.
        let new = self.offset.with_extension("new");
        fs::write(&new, seconds.to_string())
            .and_then(|()| fs::rename(&new, &self.offset))
            .expect("a file can be written");
    }

    /// How many seconds it is off now.
    #[track_caller]
    pub fn offset(&self) -> i64 {
        let text = fs::read_to_string(&self.offset).expect("the file is there");
        text.trim().parse().expect("a number of seconds")
    }

    /// An NTP client sets it right, and says so.
    #[track_caller]
    pub fn synchronise(&self) {
        self.turn(0);
        fs::write(&self.set, "").expect("a file can be written");
    }

    /// Gives it to a program.
    pub fn wear<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs(self.environment())
    }

    /// What gives it to a program.
    pub fn environment(&self) -> [(&'static str, &Path); 3] {
        [("LD_PRELOAD", &self.library), ("CLOCK_OFFSET", &self.offset), ("CLOCK_SET", &self.set)]
    }
}
