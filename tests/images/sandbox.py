"""A throw-away root file system: this machine's own, below a tmpfs that takes every write.

The files of `make install` stand at their real paths in it, and the real supervisord runs there, in its own mount and process
namespaces: nothing reaches the machine, and everything is gone when the sandbox is closed.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# The sandbox ends by itself after this many seconds, whatever happens to the test.
LIFETIME = 300

SETUP = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs var/log
# A checkout below one of these would be hidden, and with it the Python packages of its .venv.
case $3 in
/tmp/* | /run/* | /var/log/*) mkdir -p ".$3" && mount --bind -o ro "$3" ".$3" ;;
esac
# The shell is process 1 here, and reaps what daemons leave to it. Only now whoever enters by its root is away from the machine's own.
exec chroot . sh -c 'echo ready; sleep "$1" & wait' sh "$2"
"""


def skip(why):
    """Ends a test, or all of a class, that cannot run here; what is said goes to make test's list, too."""
    if "GWE_SKIPPED" in os.environ:
        with open(os.environ["GWE_SKIPPED"], "a", encoding="utf-8") as skipped:
            skipped.write(f"check-images\t{why}\n")
    raise unittest.SkipTest(f"skipped: {why}")


def why_not():
    """Why no sandbox can be made here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    for tool in ("unshare", "nsenter"):
        if not shutil.which(tool):
            return f"needs {tool}"
    probe = subprocess.run(["unshare", "--mount", "--pid", "--fork", "sh", "-c", "mount -t tmpfs tmpfs /mnt"], capture_output=True)
    return None if probe.returncode == 0 else "needs the right to mount"


def make_install(destination, *settings):
    """Runs `make install` into a folder and returns what it printed."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(REPOSITORY), "install", f"DESTDIR={destination}", *settings],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Sandbox:
    """One root file system, with the means to run commands in it."""

    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="gwe-sandbox-")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SETUP, "sh", self.scratch, str(LIFETIME),
             str(REPOSITORY)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            reason = self.process.stderr.read()
            self.close()
            raise RuntimeError(reason)
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.enter = ["nsenter", "-t", children[0], "-m", "-p", "-r", "-w", "--"]
        # What is done in here removes and overwrites files of a system: never on the machine's own disk.
        if os.stat(f"/proc/{children[0]}/root").st_dev == os.stat("/").st_dev:
            self.close()
            raise RuntimeError("the sandbox has the machine's own root")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def run(self, command, timeout=60, **environment):
        """Runs a shell command inside and returns (exit status, stdout and stderr)."""
        done = subprocess.run(
            [*self.enter, "sh", "-c", command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment})
        return done.returncode, done.stdout

    def must(self, command, **environment):
        """Runs a command that has to succeed and returns its output."""
        status, output = self.run(command, **environment)
        assert status == 0, f"{command}: {status}\n{output}"
        return output

    def write(self, path, text, mode=0o644):
        subprocess.run(
            [*self.enter, "sh", "-c", f'mkdir -p "$(dirname {path})" && cat >{path} && chmod {mode:o} {path}'],
            input=text, text=True, check=True)

    def copy_in(self, tree):
        """Puts a tree of files over the sandbox's root."""
        packed = subprocess.run(["tar", "-C", str(tree), "-c", "."], capture_output=True, check=True).stdout
        subprocess.run([*self.enter, "tar", "-C", "/", "-x"], input=packed, check=True)

    def install(self, stand_in, *settings, core=None):
        """Runs `make install` with a script in the agent's place, over the sandbox's root; own hosting's core is a file that was built."""
        with tempfile.TemporaryDirectory() as staging:
            binary = pathlib.Path(staging, "stand-in")
            binary.write_text(stand_in)
            beside = pathlib.Path(staging, "hosting-core")
            if core:
                shutil.copy(core, beside)
            else:
                beside.write_text("#!/bin/sh\n")
            tree = pathlib.Path(staging, "tree")
            make_install(tree, f"BINARY={binary}", *settings)
            self.copy_in(tree)

    def wait_for(self, command, wanted, seconds=40):
        """Runs a command again and again until its output has `wanted`; returns that output."""
        end = time.monotonic() + seconds
        while True:
            output = self.run(command)[1]
            if wanted(output) if callable(wanted) else wanted in output:
                return output
            if time.monotonic() > end:
                raise AssertionError(f"{command}: after {seconds} s still\n{output}")
            time.sleep(0.3)
