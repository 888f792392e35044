#!/usr/bin/env python3
"""What a fleet costs a real hawkBit: simulated gateways register, poll, poll as fast as they are answered, and take a roll-out.

    load.py BENCH JAR [GATEWAYS [SECONDS]]     BENCH: the built bench-hawkbit, which is the gateways; GATEWAYS: 2000; SECONDS: 60 for each load

Prints, for each load: check-ins a second, what the server's processor time is for one, how long one takes, and its memory and database after it.
It and the gateways share this machine, so the rates are those of both together; the processor time is the server's alone. Python's standard
library alone.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from server import Server

TOKEN = "gw-token"
GATEWAYS, SECONDS = 2000, 60
# The least that hawkBit's defaults allow is 30 s.
INTERVAL = 30
LIMIT = 900
# As a server would run, not as one that is to be up soon.
JAVA = ["java", "-Xmx512m", "-XX:+UseSerialGC"]


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) // 1024


class Load:
    def __init__(self, server, bench, folder, gateways, seconds):
        self.server, self.bench, self.folder, self.gateways, self.seconds = server, bench, folder, gateways, seconds

    def database(self):
        return sum(path.stat().st_size for path in self.folder.glob("h2*.db")) / 1e6

    def run(self, kind, *limit):
        before = processor_seconds(self.server.process.pid)
        command = [self.bench, kind, self.server.url, TOKEN, self.folder / "gateways", self.gateways, *limit]
        ran = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, timeout=LIMIT, check=True)
        seen = json.loads(ran.stdout)
        if seen["failed"]:
            print(f"  {seen['failed']} failed: {seen['why']}", *self.server.complaints(), sep="\n    ")
        processor = processor_seconds(self.server.process.pid) - before
        count = seen["check_ins"]
        print(
            f"{kind:<9}{count:>7} check-ins{count / seen['seconds']:>8.1f} a second{1000 * processor / max(count, 1):>8.2f} ms of its CPU each"
            f"{seen['median_ms']:>8.1f} ms median{seen['p99_ms']:>9.1f} ms p99{resident(self.server.process.pid):>6} MB resident{self.database():>8.1f} MB of database",
            flush=True,
        )
        return seen


def main():
    bench, jar = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    given = [int(argument) for argument in sys.argv[3:5]]
    gateways, seconds = given + [GATEWAYS, SECONDS][len(given):]
    with tempfile.TemporaryDirectory(prefix="gwe-load-") as name:
        folder = pathlib.Path(name)
        server = Server(jar, folder, JAVA)
        try:
            server.start()
            server.with_tokens(TOKEN)
            server.set("pollingTime", f"00:00:{INTERVAL}")
            load = Load(server, bench, folder, gateways, seconds)
            print(f"{gateways} gateways; polling every {INTERVAL} s is {gateways / INTERVAL:.0f} a second; {os.cpu_count()} processors", flush=True)
            load.run("register")
            load.run("flat-out", seconds)
            load.run("steady", seconds)
            roll_out = server.roll_out(server.set_of(server.module("load", "1")), "controllerId==load-*", 1)
            server.await_roll_out(roll_out, "running")
            load.run("orders")
            server.await_roll_out(roll_out, "finished")
            print("the roll-out is", *server.roll_out_stands(roll_out))
            load.run("flat-out", seconds)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
