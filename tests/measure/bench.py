"""`make bench`: an over-the-air install of 100 MB to disk against `curl | tar xz` of the same tarball, in the same run.

The tarball is what apps are made of: half of it compresses like text, half hardly at all. Both ways fetch it from the same local server over plain
HTTP and unpack it on the same file system; `sh -c 'curl … | tar xz'` is everything but safe: it checks nothing, resumes nothing, makes nothing durable.
CPU time is that of all processes of each way. They take turns, and the median of the ratios counts.
"""

import argparse
import io
import os
import random
import resource
import shutil
import statistics
import subprocess
import tarfile
import threading
import time
from pathlib import Path

from . import memory
from .gateway import TOP, Cloud, Gateway, Scratch
from .table import Table

# The tarball's size on the wire.
SIZE = 100_000_000
RATIO_LIMIT = 0.55
PEAK_LIMIT = 4_000_000
ROUNDS = 3
FEATURES = ("none", "tls-openssl", "tls-rustls")
APP = "measured.v1.0.0.tar.gz"


def main():
    options = argparse.ArgumentParser(prog="make bench", description="An over-the-air install of 100 MB against curl | tar xz.")
    options.add_argument("--json", action="store_true", help="as JSON")
    options.add_argument("--builds", type=Path, default=TOP / "target/footprint", help="folder with FEATURES/gwe, stripped")
    options.add_argument("--size", type=int, default=SIZE, help="bytes on the wire")
    options = options.parse_args()
    table = Table("Over-the-air install, plain HTTP, to disk")
    if shutil.which("curl") is None:
        table.skip("the OTA rows", "curl is not installed")
    else:
        with Scratch() as scratch, Cloud(scratch) as cloud:
            tarball = scratch.path / APP
            make(tarball, options.size)
            cloud.run("content", "upload", tarball, APP)
            for features in FEATURES:
                agent = options.builds / features / "gwe"
                if agent.is_file():
                    install(table, scratch, cloud, features, agent)
                else:
                    table.skip(f"the build {features}", "it was not built")
    table.show(options.json)


def install(table, scratch, cloud, features, agent):
    ratios, peaks, ours, theirs = [], [], [], []
    for turn in range(ROUNDS):
        theirs.append(spent(lambda: by_hand(scratch, cloud)))
        gateway = Gateway(scratch, f"ota-{features}-{turn}", agent, cloud.url)
        gateway.once()
        cloud.run("product", "device", "write", gateway.serial, "engine_fetch", f'{{"install": [{{"name": "{APP}"}}]}}')
        ours.append(spent(lambda: peaks.append(over_the_air(gateway))))
        status = cloud.run("product", "device", "read", gateway.serial, "fetch_status")
        if "installed measured v1.0.0" not in status:
            raise RuntimeError(f"not installed: {status}")
        ratios.append(ours[-1] / theirs[-1])
        shutil.rmtree(gateway.root)
    size = f"{(scratch.path / APP).stat().st_size / 1e6:.0f} MB"
    cpu = f"curl | tar xz {statistics.median(theirs):.2f} s, ours {statistics.median(ours):.2f} s of CPU"
    table.row(f"OTA of {size}, {features}: CPU against curl | tar xz", statistics.median(ratios), "", RATIO_LIMIT, cpu)
    table.row(f"OTA, {features}: peak RSS of the largest process", max(peaks) / 1e6, "MB", PEAK_LIMIT / 1e6)


def make(path, size):
    """An app of about `size` bytes when compressed; the same bytes each time."""
    chance = random.Random(1)
    words = [bytes(chance.choices(range(97, 123), k=chance.randint(2, 9))) for _ in range(4000)]
    # gzip of the system: what a developer's `tar czf` gives.
    with open(path, "wb") as out:
        gzip = subprocess.Popen(["gzip", "-n"], stdin=subprocess.PIPE, stdout=out)
        with tarfile.open(fileobj=gzip.stdin, mode="w|") as archive:
            add(archive, "install.sh", b"#!/bin/sh\nexit 0\n", 0o755)
            written = number = 0
            # 1 MB of each; the words shrink to some 0.37.
            while written < size:
                text = b" ".join(chance.choices(words, k=170_000))[:1_000_000]
                add(archive, f"data/{number:04}.txt", text, 0o644)
                add(archive, f"data/{number:04}.bin", chance.randbytes(400_000), 0o644)
                written, number = written + 810_000, number + 1
        gzip.stdin.close()
        if gzip.wait() != 0:
            raise RuntimeError("gzip failed")


def add(archive, name, data, mode):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))


def by_hand(scratch, cloud):
    folder = scratch.path / "by-hand"
    folder.mkdir()
    url = f"{cloud.url}/provision/download?vendor=measured&model=measured&id={APP}"
    subprocess.run(["sh", "-c", f"curl -sf '{url}' | tar xz -C '{folder}'"], check=True, timeout=600)
    shutil.rmtree(folder)


def over_the_air(gateway):
    """One check-in with the install; the most that one of its processes had resident, in bytes."""
    with open(gateway.root / "log", "wb") as log:
        process = subprocess.Popen([gateway.agent, "--once"], env=gateway.environment, stdout=log, stderr=log)
    peak = [0]
    watcher = threading.Thread(target=watch, args=(process.pid, peak))
    watcher.start()
    if process.wait(600) != 0:
        raise RuntimeError((gateway.root / "log").read_text())
    watcher.join()
    return peak[0]


def watch(pid, peak):
    """VmHWM only grows, so the last look before the end is the peak but for the last milliseconds."""
    while os.path.exists(f"/proc/{pid}/exe"):
        peak[0] = max(peak[0], memory.peak(pid))
        time.sleep(0.02)


def spent(call):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
