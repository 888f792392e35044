"""The system calls of a quiet check-in as a gateway makes it, by what they are for: a sleeping engine is woken, becomes itself,
has a process of its own check in, and sleeps again."""

import collections
import re
import signal
import subprocess
import time

from .gateway import wait_for

CONNECTION = "connection, request, answer"
TLS = "set-up of TLS"

# What a path is for; the first that fits. `run/` of a measured gateway is a link to a folder in memory.
PATHS = [
    (r"Gateway\.cfg|Engine\.config", "settings"),
    (r"/gwe/usage", "account of requests"),
    (r"last_check_in|last_known_time", "times of the last check-in"),
    (r"/proc/(self|\d+)/(exe|maps)|/usr/bin/gwe", "start and end of programs and threads"),
    (r"supervisor\.sock", "reports: apps"),
    (r"/proc/(self/|\d+/)?(mountinfo|meminfo|uptime|stat|sys)", "reports: host"),
    # OpenSSL looks at an empty path for roots, and at the time zone for the dates of certificates.
    (r'openssl|\.pem|/ssl/|certs|\.cnf|localtime|zoneinfo|^AT_FDCWD, ""', TLS),
    (r"/etc/(hosts|nsswitch|resolv|gai|host)", "name resolution"),
    (r"var/lib/gwe|usr/share/gwe", "lock, journal, registry, versions"),
    (r"memfd:gwe", "start and end of programs and threads"),
]
SOCKETS = {"AF_NETLINK": "reports and account: interfaces", "AF_UNIX": "reports: apps", "AF_INET": CONNECTION, "AF_INET6": CONNECTION}
CALLS = [
    ("uname|statfs|sysinfo", "reports: host"),
    ("brk|mmap|munmap|mprotect|madvise|mremap", "memory"),
    (
        "clone3?|v?fork|f?execve|execveat|wait4|waitid|exit|exit_group|prctl|rt_sig\\w+|sigaltstack|get[tp]id|tgkill|futex|socketpair|"
        "memfd_create|rseq|set_robust_list|set_tid_address|sched_getaffinity|prlimit64|kill|restart_syscall",
        "start and end of programs and threads",
    ),
    ("getrandom", "random numbers"),
]
LINE = re.compile(r"(?:\d+ +)?(\w+)\((.*)")


def as_on_a_gateway(lines, gateway):
    """The lines with the paths of a gateway: the names of a measured one and of its build must not be taken for what a call is for."""
    lines = [re.sub(r"AT_FDCWD<[^>]*>", "AT_FDCWD", line) for line in lines]
    return [line.replace(str(gateway.agent), "/usr/bin/gwe").replace(str(gateway.root), "") for line in lines]


def sort(lines):
    """Counts calls by what they are for. `lines` are those of `strace -f -y`."""
    counts = collections.Counter()
    sockets = {}
    loading = set()
    for line in lines:
        pid, _, rest = line.partition(" ")
        match = LINE.match(rest.strip())
        if match is None or "resumed>" in rest:
            continue
        name, arguments = match.groups()
        if name in ("execve", "execveat"):
            loading.add(pid)
        counts[purpose(name, arguments, pid in loading, sockets)] += 1
        # The runtime's first call in a new program; what comes before is the loader's.
        if name == "poll":
            loading.discard(pid)
    return counts


def purpose(name, arguments, is_loading, sockets):
    """What one call is for."""
    if name == "socket":
        made = re.search(r"= \d+<(?:\w+:)?\[(\d+)\]>|= \d+<socket:\[(\d+)\]>", arguments)
        what = SOCKETS.get(arguments.split(",")[0], CONNECTION)
        if made:
            sockets[made.group(1) or made.group(2)] = what
        return what
    if is_loading:
        return "loader and libraries"
    used = re.match(r"\[?\{?(?:fd=)?\d+<(?:socket:)?\[(\d+)\]>", arguments)
    if used:
        return sockets.get(used.group(1), CONNECTION)
    if name in ("write", "writev") and re.match(r"[12]<", arguments):
        return "log"
    # Only OpenSSL wakes up everybody who may wait for its set-up.
    if name == "futex" and "2147483647" in arguments:
        return TLS
    # The standard library asks once whether the kernel knows statx.
    if name == "statx" and "NULL" in arguments:
        return "start and end of programs and threads"
    for pattern, what in PATHS:
        if re.search(pattern, arguments):
            return what
    for pattern, what in CALLS:
        if re.fullmatch(pattern, name):
            return what
    if name in ("statx", "newfstatat") and re.search(r'"/', arguments):
        return "reports: host"
    # The program that runs, by its own path; and pipes between a process and its child.
    return "start and end of programs and threads" if name in ("readlink", "recvfrom", "read", "close", "dup2", "fcntl") else "other"


def of_a_check_in(gateway, scratch):
    """The calls of one check-in of a resident engine, from its being woken to its sleeping again."""
    log = scratch.path / "strace-resident"
    started = gateway.root / "run/gwe/started"
    started.parent.mkdir(exist_ok=True)
    started.touch()
    command = ["strace", "-f", "-qq", "-y", "-s", "300", "-o", log, gateway.agent]
    tracer = subprocess.Popen(command, env=gateway.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("the first pause", lambda: log.exists() and asleep(log))
        before = len(log.read_text(errors="replace").splitlines())
        engine = int(log.read_text(errors="replace").split(None, 1)[0])
        subprocess.run(["kill", "-HUP", str(engine)], check=True)
        wait_for("the pause after it", lambda: asleep(log, before + 10))
        lines = log.read_text(errors="replace").splitlines()[before:]
        subprocess.run(["kill", "-TERM", str(engine)], check=True)
        tracer.wait(30)
    finally:
        if tracer.poll() is None:
            tracer.send_signal(signal.SIGTERM)
            tracer.wait(30)
    return sort(as_on_a_gateway(lines, gateway))


def asleep(log, beyond=0):
    """Whether the last call of the trace is the sleeper's wait, which has no end yet."""
    lines = log.read_text(errors="replace").splitlines()
    if len(lines) <= beyond or not lines[-1].strip():
        return False
    time.sleep(0.1)
    lines = log.read_text(errors="replace").splitlines()
    return "rt_sigtimedwait" in lines[-1] and " = " not in lines[-1] and any("memfd" in line for line in lines[beyond:])
