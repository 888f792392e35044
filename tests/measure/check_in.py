"""What a check-in costs: CPU, bytes on the wire, system calls, bytes written to the disk."""

import collections
import json
import os
import re
import resource
import shutil
import statistics
import subprocess

# Folders of the gateway that survive a power cut; whatever is written anywhere else is volatile.
ON_FLASH = "/var/lib/gwe/"
CHANGES = "openat,open,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,symlink,symlinkat,truncate,fsync,fdatasync"


def cpu(call, times):
    """The median CPU time of a call's processes, in ms."""
    spent = []
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        call()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
    return statistics.median(spent)


def requests(cloud, call):
    """What the server saw during a call: its totals."""
    cloud.run("requests", "clear")
    call()
    return json.loads(cloud.run("requests", "--json"))["totals"]


def blocks_written(call):
    """Bytes that a call's processes caused to be written to a disk, by the kernel's account."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock
    call()
    return (resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock - before) * 512


def counts_blocks(scratch):
    """Whether that account works for this folder: some file systems keep none."""
    target = scratch.path / "control"
    script = f"head -c 65536 /dev/urandom >'{target}'; sync '{target}'"
    counted = blocks_written(lambda: subprocess.run(["sh", "-c", script], check=True))
    target.unlink()
    return counted >= 65536


class Trace:
    """The system calls of one check-in, by strace."""

    def __init__(self, gateway, scratch):
        log = scratch.path / "strace"
        command = ["strace", "-f", "-qq", "-y", "-o", log, gateway.agent, "--once"]
        subprocess.run(command, env=gateway.environment, capture_output=True, timeout=120, check=True)
        lines = log.read_text(errors="replace").splitlines()
        calls = [match.group(1) for line in lines if (match := re.match(r"\d+\s+(\w+)\(", line))]
        self.calls = collections.Counter(calls)
        # Everything before the program's first own call is the loader: libraries being mapped.
        started = next((n for n, line in enumerate(lines) if "SIGPIPE" in line), 0)
        self.loading = sum(1 for line in lines[:started] if re.match(r"\d+\s+\w+\(", line))
        self.total = len(calls)
        self.flash = [line for line in lines if ON_FLASH in line and changes(line)]


def changes(line):
    """Whether a traced call can change a file."""
    name = re.match(r"\d+\s+(\w+)\(", line)
    if name is None or name.group(1) not in CHANGES.split(","):
        return False
    return "open" not in name.group(1) or re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", line) is not None


def has_strace():
    return shutil.which("strace") is not None and os.access("/proc/self/mem", os.R_OK)
