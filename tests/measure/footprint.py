"""`make footprint`: what the agent takes of a gateway while nothing happens, beside design limits and peers."""

import argparse
import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from . import calls, check_in, memory, peers
from .gateway import TOP, Cloud, Gateway, Process, Scratch
from .table import Table

BINARY_LIMIT = 700_000
# PSS and private dirty of the idle engine in MB, by features.
IDLE_LIMITS = {"none": (1.0, 0.2), "tls-rustls": (1.5, 0.3), "tls-openssl": (2.8, 0.7)}
GMQ_BEYOND = 0.3
CPU_LIMIT = 20
CPU_TIMES = 21
MONTH = 30 * 24 * 3600


def main():
    options = argparse.ArgumentParser(prog="make footprint", description=__doc__)
    options.add_argument("--json", action="store_true", help="as JSON")
    options.add_argument("--builds", type=Path, default=TOP / "target/footprint", help="folder with FEATURES/gwe, stripped")
    options.add_argument("--seconds", type=int, default=60, help="how long idle processes are watched")
    options = options.parse_args()
    builds = {features: options.builds / features / "gwe" for features in IDLE_LIMITS}
    table = Table("Footprint (MB are 10^6 bytes)")
    for features in [features for features, path in builds.items() if not path.is_file()]:
        table.skip(f"the build {features}", "it was not built")
        del builds[features]
    with Scratch() as scratch, Cloud(scratch) as cloud:
        binaries(table, builds)
        idle(table, builds, scratch, cloud, options.seconds)
        for features, path in builds.items():
            quiet(table, features, path, scratch, cloud)
    table.show(options.json)


def binaries(table, builds):
    empty = empty_program()
    others = [f"{name} {os.path.getsize(path):,} B" for name in ("rauc", "mender") if (path := shutil.which(name))]
    for name in ("rauc", "mender"):
        if shutil.which(name) is None:
            table.skip(f"peer {name}", f"{name} is not installed")
    if empty:
        others.insert(0, f"an empty Rust program {empty:,} B")
    for features, path in builds.items():
        limit = BINARY_LIMIT if features == "tls-openssl" else None
        table.row(f"binary, {features}", path.stat().st_size, "B", limit, ", ".join(others) if limit else None)


def empty_program():
    """The size of the smallest Rust program with the same profile: what no agent with std gets below."""
    with Scratch() as scratch:
        source, built = scratch.path / "empty.rs", scratch.path / "empty"
        source.write_text('fn main() { println!("") }\n')
        flags = ["-C", "opt-level=z", "-C", "panic=abort", "-C", "lto=fat", "-C", "codegen-units=1", "-C", "strip=symbols"]
        done = subprocess.run(["rustc", *flags, "-o", built, source], capture_output=True, check=False)
        return built.stat().st_size if done.returncode == 0 else None


def idle(table, builds, scratch, cloud, seconds):
    """Everything that idles, at the same time: what it keeps resident, how often it wakes up, what it writes."""
    with contextlib.ExitStack() as stack:
        ours, theirs = {}, {}
        for features, path in builds.items():
            copy = memory.private_copy(path, scratch.path / f"copy-{features}")
            gateway = Gateway(scratch, f"idle-{features}", copy, cloud.url)
            gateway.once()
            ours[f"idle engine, {features}"] = (stack.enter_context(engine(gateway, scratch)), features)
        queue = resident_queue(builds, scratch, cloud, stack)
        for name, start in peers.IDLE:
            process = start(scratch)
            if process is None:
                table.skip(f"peer {name}", f"{name} is not installed")
                continue
            theirs[name] = stack.enter_context(process)
        # Time to start, to check in, and to come to rest.
        time.sleep(8)
        pids = {name: process.pid for name, (process, _) in ours.items()}
        for name, process in theirs.items():
            pid = peers.pid_of(name, process, scratch)
            if pid is None or memory.wakeups(pid) is None:
                table.skip(f"peer {name}", f"{name} does not run here: {process.text().strip().splitlines()[-1:]}")
            else:
                pids[name] = pid
        if queue is not None:
            pids["gmq"] = queue.pid
        before = {name: (memory.wakeups(pid), memory.written(pid)) for name, pid in pids.items()}
        time.sleep(seconds)
        for name in [name for name, pid in pids.items() if memory.wakeups(pid) is None]:
            if name not in theirs:
                raise RuntimeError(f"{name} ended while it was watched")
            table.skip(f"peer {name}", f"{name} ended by itself: {theirs[name].text()[-200:]!r}")
            del pids[name]
        woken = {name: memory.wakeups(pid) - before[name][0] for name, pid in pids.items()}
        flash = {name: memory.written(pid) - before[name][1] for name, pid in pids.items()}
        used = {name: memory.memory(pid) for name, pid in pids.items()}
    peer = "; ".join(f"{name} {used[name]['Pss']:.1f} / {used[name]['Private_Dirty']:.1f}" for name in theirs if name in used)
    for name, (_, features) in ours.items():
        pss, dirty = IDLE_LIMITS[features]
        table.row(f"{name}: PSS", used[name]["Pss"], "MB", pss, peer, f"RSS {used[name]['Rss']:.2f}")
        table.row(f"{name}: private dirty", used[name]["Private_Dirty"], "MB", dirty)
        peer = None
    woke = "; ".join(f"{name} {woken[name]}" for name in theirs if name in woken)
    for name in ours:
        table.row(f"{name}: wakeups in {seconds} s", woken[name], "", 0, woke)
        table.row(f"{name}: written to disk in {seconds} s", flash[name], "B", 0)
        woke = None
    if "gmq" in used:
        base = used[f"idle engine, {queue.features}"]
        table.row(f"gmq idle beyond the engine, {queue.features}: PSS", used["gmq"]["Pss"] - base["Pss"], "MB", GMQ_BEYOND)
        table.row("gmq idle beyond the engine: private dirty", used["gmq"]["Private_Dirty"] - base["Private_Dirty"], "MB", GMQ_BEYOND)
        table.row(f"gmq idle: wakeups in {seconds} s", woken["gmq"], "", 0)
        table.row(f"gmq idle: written to disk in {seconds} s", flash["gmq"], "B", 0)


def engine(gateway, scratch):
    """The engine as after a restart on a running gateway: it checks in at once and then sleeps for its interval."""
    started = gateway.root / "run/gwe/started"
    started.parent.mkdir(exist_ok=True)
    started.touch()
    return Process([gateway.agent], scratch.path / f"{gateway.serial}.log", env=gateway.environment)


def resident_queue(builds, scratch, cloud, stack):
    """gmq of the last build that is there, on a port that the system picks."""
    if not builds:
        return None
    features = list(builds)[-1]
    folder = scratch.path / "copy-gmq"
    agent = memory.private_copy(builds[features], folder)
    gmq = folder / "gmq"
    gmq.symlink_to(agent)
    gateway = Gateway(scratch, "idle-gmq", agent, cloud.url)
    (gateway.root / "etc/gwe/gmq.cfg").write_text("[http]\nport = 0\n")
    # Asleep by the time that it is looked at, not after a minute and a half.
    environment = {**gateway.environment, "GWE_NAP_AFTER": "1"}
    process = stack.enter_context(Process([gmq], scratch.path / "gmq.log", env=environment))
    process.features = features
    return process


def quiet(table, features, agent, scratch, cloud):
    """One check-in with nothing to do, plain and with TLS."""
    has_tls = features != "none"
    wires = [("plain", cloud.url, "")]
    if has_tls:
        wires.append(("TLS, one CA", cloud.tls_url, f"cacert = {cloud.ca}"))
    for wire, url, options in wires:
        gateway = Gateway(scratch, f"quiet-{features}-{wire.split(',')[0]}", agent, url, options)
        what = f"quiet check-in, {features}, {wire}"
        # Activates; the second sends what only a first one has to say.
        gateway.once()
        gateway.once()
        totals = check_in.requests(cloud, gateway.once)
        table.row(f"{what}: requests", totals["requests"], "", 1)
        table.row(f"{what}: CPU", check_in.cpu(gateway.once, CPU_TIMES), "ms", CPU_LIMIT if wire != "plain" else None)
        on_wire = totals["request_bytes"] + totals["response_bytes"]
        if wire != "plain":
            on_wire = totals["wire_received"] + totals["wire_sent"]
        table.row(f"{what}: bytes both ways", on_wire, "B", None, None, per_month(on_wire))
        if check_in.counts_blocks(scratch):
            table.row(f"{what}: written to disk", check_in.blocks_written(gateway.once), "B", 0)
        else:
            table.skip(f"{what}: written to disk", "this file system keeps no account of it")
        if not check_in.has_strace():
            table.skip(f"{what}: system calls", "strace is not installed")
            continue
        trace = check_in.Trace(gateway, scratch)
        table.row(f"{what}: system calls", trace.total, "", None, None, f"{trace.loading} of them load libraries")
        counts = calls.of_a_check_in(gateway, scratch)
        kinds = "; ".join(f"{count} {kind}" for kind, count in counts.most_common())
        table.row(f"{what}: system calls of an engine that sleeps before and after", counts.total(), "", None, None, kinds)
        table.row(f"{what}: calls that change a file on flash", len(trace.flash), "", 0)


def per_month(size):
    default, minute = (size * MONTH // interval / 1e6 for interval in (14400, 60))
    return f"{default:.2f} MB a month at the default interval, {minute:.1f} MB at 60 s, without TCP/IP headers"


if __name__ == "__main__":
    main()
