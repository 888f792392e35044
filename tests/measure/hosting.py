"""`make footprint-hosting`: what hosting programs costs, ours beside runit, s6, daemontools, monit and supervisord in the same run: each has the
same programs, and a log for each of them. Programs themselves are not counted."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from . import memory
from .gateway import TOP, Process, Scratch, wait_for
from .table import Table

# kB for three programs: PSS, private dirty; for fifty: PSS.
THREE, FIFTY = (120, 60), 300
CORE_LIMIT = 100_000
STATUS_LIMIT = 10
STATUS_TIMES = 21
LINES = 20_000
TIMES = 3
# One line, then the end of its output; nobody else writes.
SAYS = "echo started; exec sleep 100000"


class Supervisor(Process):
    """Programs under one supervisor, in a folder of its own."""

    def __init__(self, name, command, folder, **options):
        self.name, self.folder = name, folder
        super().__init__(command, folder.with_suffix(".out"), cwd=folder, **options)

    def own(self):
        """Its processes but for the programs that it runs: those that supervise and log."""
        return [pid for pid in memory.family(self.pid) if name_of(pid) not in ("sleep", "sh", "python3", None)]


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def configuration(folder, programs):
    text = (
        f"[supervisord]\nnodaemon = true\nlogfile = {folder}/main.log\npidfile = {folder}/pid\nchildlogdir = {folder}\nuser = root\n"
        f"[unix_http_server]\nfile = {folder}/socket\n[supervisorctl]\nserverurl = unix://{folder}/socket\n"
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
    )
    for name, command in programs.items():
        text += f"[program:{name}]\ncommand = {command}\nredirect_stderr = true\nstdout_logfile = {folder}/{name}.log\nstartsecs = 0\n"
    (folder / "conf").write_text(text)
    return folder / "conf"


def ours(gwe, folder, programs):
    """The daemon is a copy: what else runs on this machine shares no page of it."""
    gwe, core = Path(gwe), Path(gwe).with_name("hosting-core")
    if not core.is_file():
        return None
    memory.private_copy(gwe, folder / "front")
    shutil.copy2(core, folder / "front/hosting-core")
    for file in (folder / "front").iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    for name in ("supervisord", "supervisorctl"):
        (folder / name).symlink_to(folder / "front/gwe")
    return Supervisor("ours", [folder / "supervisord", "-n", "-s", "-c", configuration(folder, programs)], folder)


def real(folder, programs):
    program = TOP / ".venv/bin/supervisord"
    program = program if program.exists() else shutil.which("supervisord")
    if not program:
        return None
    process = Supervisor("supervisord", [program, "-n", "-s", "-c", configuration(folder, programs)], folder)
    # Python is who runs it.
    process.own = lambda: [process.pid]
    return process


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def scanned(title, scanner, logger):
    """One of daemontools' family: it scans a folder of services, each with another that takes its log; `logger` goes on with its folder."""
    def make(folder, programs):
        if not shutil.which(scanner):
            return None
        for name, command in programs.items():
            script(folder / "service" / name / "run", f"exec 2>&1; exec {command}")
            script(folder / "service" / name / "log/run", f"mkdir -p {folder}/{name}; exec {logger} {folder}/{name}")
        return Supervisor(title, [scanner, folder / "service"], folder)
    return make


def monit(folder, programs):
    """It keeps no logs, and its programs are no children of it: they are started once, by a script."""
    if not shutil.which("monit"):
        return None
    rows = [f"set daemon 5\nset pidfile {folder}/pid\nset statefile {folder}/state\nset idfile {folder}/id\nset logfile {folder}/log"]
    for name, command in programs.items():
        script(folder / name, f"{command} >{folder}/{name}.log 2>&1 & echo $! >{folder}/{name}.pid")
        rows.append(f'check process {name} with pidfile {folder}/{name}.pid start program = "{folder}/{name}"')
    (folder / "monitrc").write_text("\n".join(rows) + "\n")
    (folder / "monitrc").chmod(0o600)
    process = Supervisor("monit", ["monit", "-I", "-c", folder / "monitrc"], folder)
    process.own = lambda: [process.pid]
    return process


PEERS = {
    "supervisord": real,
    "runit": scanned("runit", "runsvdir", "svlogd"),
    "s6": scanned("s6", "s6-svscan", "s6-log n10 s50000000"),
    "daemontools": scanned("daemontools", "svscan", "multilog s16777215 n10"),
    "monit": monit,
}


def started(table, gwe, scratch, what, programs, peers):
    """All of them with these programs, not yet running."""
    found = []
    for name, make in {"ours": lambda *all: ours(gwe, *all), **{name: PEERS[name] for name in peers}}.items():
        folder = scratch.path / f"{what}-{name}"
        folder.mkdir()
        process = make(folder, programs)
        if process is None:
            table.skip(f"peer {name}", "it is not installed" if name != "ours" else "the core was not built")
        else:
            found.append(process)
    return found


def idle(table, gwe, scratch, seconds):
    programs = {f"p{number}": f"/bin/sh -c '{SAYS}'" for number in range(3)}
    used, woken = {}, {}
    for process in started(table, gwe, scratch, "three", programs, PEERS):
        with process:
            time.sleep(12 if process.name == "monit" else 8)
            own = process.own()
            before = [memory.wakeups(pid) or 0 for pid in own]
            time.sleep(seconds)
            woken[process.name] = sum(memory.wakeups(pid) or 0 for pid in own) - sum(before)
            all = [memory.memory(pid) for pid in own]
            used[process.name] = {key: round(sum(one[key] for one in all) * 1e6 / 1024) for key in ("Pss", "Private_Dirty")}
            used[process.name]["processes"] = len(own)
            end_programs(process)
    if "ours" not in used:
        return
    own = used.pop("ours")
    peers = "; ".join(f"{name} {one['Pss']:,} / {one['Private_Dirty']:,} ({one['processes']} processes)" for name, one in used.items())
    table.row("core, three programs with logs: PSS", own["Pss"], "kB", THREE[0], peers)
    table.row("core, three programs with logs: private dirty", own["Private_Dirty"], "kB", THREE[1])
    mine = woken.pop("ours")
    table.row(f"core: wakeups in {seconds} s", mine, "", 0, "; ".join(f"{name} {count}" for name, count in woken.items()))
    table.row("core, stripped", Path(gwe).with_name("hosting-core").stat().st_size, "B", CORE_LIMIT)


def end_programs(process):
    """What a supervisor leaves behind when it is ended."""
    for pid in memory.family(process.pid)[1:]:
        subprocess.run(["kill", str(pid)], check=False, capture_output=True)
    for file in process.folder.glob("p*.pid"):
        subprocess.run(["kill", file.read_text().strip()], check=False, capture_output=True)


def fifty(table, gwe, scratch):
    """Fifty programs: memory, how long until all run, and what a look at them costs."""
    programs = {f"p{number:02}": f"/bin/sh -c '{SAYS}'" for number in range(50)}
    took, status, used = {}, {}, {}
    for process in started(table, gwe, scratch, "fifty", programs, ["supervisord"]):
        before = time.monotonic()
        with process:
            log = process.folder / "main.log"
            wait_for("all run", lambda log=log: log.exists() and log.read_text().count("entered RUNNING") == 50)
            took[process.name] = time.monotonic() - before
            time.sleep(3)
            used[process.name] = round(memory.memory(process.pid)["Pss"] * 1e6 / 1024)
            ctl = process.folder / "supervisorctl" if process.name == "ours" else Path(process.command[0]).with_name("supervisorctl")
            status[process.name] = cpu_of([ctl, "-c", process.folder / "conf", "status", "p00"], process)
    if "ours" in used:
        peer = "supervisord" in used
        table.row("core, fifty programs with logs: PSS", used["ours"], "kB", FIFTY, f"supervisord {used['supervisord']:,}" if peer else None)
        table.row("fifty programs: start to all RUNNING", took["ours"] * 1e3, "ms", None, f"supervisord {took['supervisord'] * 1e3:.0f}" if peer else None)
        peers = f"supervisord with its own {status['supervisord']:.0f}" if peer else None
        table.row("supervisorctl status: CPU, client and what answers", status["ours"], "ms", STATUS_LIMIT, peers)


def cpu_of(command, daemon):
    """The median CPU time of a command and what the daemon did for it, in ms."""
    times = []
    for _ in range(STATUS_TIMES):
        before, own = os.times(), spent(daemon.pid)
        subprocess.run(command, capture_output=True, check=True)
        after = os.times()
        times.append((after.children_user + after.children_system - before.children_user - before.children_system) * 1e3 + (spent(daemon.pid) - own) / 1e6)
    return statistics.median(times)


def spent(pid):
    """ns of CPU so far: its own, and of children that it has waited for (in ticks, so rather coarse)."""
    own = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return own + (int(fields[13]) + int(fields[14])) * 10**9 // os.sysconf("SC_CLK_TCK")


WRITER = """import os, sys, time
line, pause = b'x' * 99 + b'\\n', float(sys.argv[2])
for _ in range(int(sys.argv[1])):
    os.write(1, line)
    if pause:
        time.sleep(pause)
open(sys.argv[3], 'w').close()
time.sleep(100000)
"""


def lines(table, gwe, scratch):
    """What a line of 100 bytes costs who reads it from the pipe and keeps it: each by itself, and as fast as they come."""
    (scratch.path / "writer.py").write_text(WRITER)
    for what, pause in (("one at a time", 0.0001), ("as fast as they come", 0)):
        cost = {}
        for turn in range(TIMES):
            for name in ("ours", "runit", "s6", "daemontools", "supervisord"):
                folder = scratch.path / f"lines-{name}-{turn}-{pause}"
                folder.mkdir()
                count = LINES if pause else 10 * LINES
                writer = f"/usr/bin/env python3 {scratch.path}/writer.py {count} {pause} {folder}/done"
                make = (lambda *all: ours(gwe, *all)) if name == "ours" else PEERS[name]
                process = make(folder, {"p": writer})
                if process is None:
                    continue
                with process:
                    wait_for_long("all is written", (folder / "done").exists)
                    time.sleep(1)
                    loggers = {"runit": "svlogd", "s6": "s6-log", "daemontools": "multilog"}
                    who = [pid for pid in process.own() if name_of(pid) == loggers.get(name)] or [process.pid]
                    cost.setdefault(name, []).append(sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in who) / count / 1e3)
                    end_programs(process)
        if "ours" not in cost:
            return
        cost = {name: statistics.median(times) for name, times in cost.items()}
        mine = cost.pop("ours")
        limit = cost.get("runit")
        table.row(f"a line of 100 bytes, {what}: CPU", mine, "µs", limit, "; ".join(f"{name} {one:.2f}" for name, one in cost.items()))


def wait_for_long(what, is_true):
    deadline = time.monotonic() + 300
    while not is_true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not happen")
        time.sleep(0.1)


def main():
    options = argparse.ArgumentParser(prog="make footprint-hosting", description=__doc__)
    options.add_argument("--json", action="store_true", help="as JSON")
    options.add_argument("--gwe", type=Path, default=TOP / "target/release/gwe", help="the agent, hosting-core beside it")
    options.add_argument("--seconds", type=int, default=60, help="how long idle processes are watched")
    options = options.parse_args()
    if not options.gwe.is_file():
        sys.exit(f"{options.gwe} is not there")
    table = Table("Hosting (kB are 1,024 bytes here)")
    with Scratch() as scratch:
        for part in (lambda: idle(table, options.gwe, scratch, options.seconds), lambda: fifty(table, options.gwe, scratch), lambda: lines(table, options.gwe, scratch)):
            part()
    table.show(options.json)


if __name__ == "__main__":
    main()
