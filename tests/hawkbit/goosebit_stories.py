#!/usr/bin/env python3
"""The agent against a real goosebit, another server of hawkBit's DDI: each story is told through its API and judged by what it then says.

    goosebit_stories.py GWE PYTHON      GWE: the agent; PYTHON: one that has goosebit 0.2.12

Starts the server on loopback with its data in a folder, and ends it. Python's standard library alone.

goosebit knows one file an order, by its SHA-1, and neither cancel, consent nor windows. It takes images of SWUpdate and RAUC alone, so what it
is to serve is put into its tables; what serves it, and all that it says to the gateway, is its own.
"""

import hashlib
import json
import os
import pathlib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from gateway import MARK, PRODUCT, Gateway, expect, tarball, wait_for

START_LIMIT = 120
TOKEN = "t-0123456789abcdef"
PATIENCE = 60


class Server:
    """goosebit, its API and its tables."""

    def __init__(self, python, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.python, self.folder, self.bearer, self.process = python, folder, None, None

    def start(self):
        environment = dict(
            os.environ,
            GOOSEBIT_DB_URI=f"sqlite://{self.folder}/db.sqlite3",
            GOOSEBIT_ARTIFACTS_DIR=str(self.folder / "artifacts"),
            GOOSEBIT_POLL_TIME="00:05:00",
            GOOSEBIT_DEVICE_AUTH__ENABLE="true",
            GOOSEBIT_DEVICE_AUTH__MODE="strict",
            OTEL_SDK_DISABLED="true",
        )
        log = open(self.folder / "goosebit.log", "a", encoding="utf-8")
        program = pathlib.Path(__file__).with_name("goosebit_server.py")
        self.process = subprocess.Popen([self.python, program, str(self.port)], cwd=self.folder, env=environment, stdout=log, stderr=log)
        (self.folder / "pid").write_text(str(self.process.pid))
        for _ in range(START_LIMIT * 5):
            if self.process.poll() is not None:
                sys.exit((self.folder / "goosebit.log").read_text()[-3000:] + "\ngoosebit ended")
            try:
                urllib.request.urlopen(self.url + "/setup", timeout=10)
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.2)
        if self.bearer is None:
            form = urllib.parse.urlencode({"username": "a@b.c", "password": "secret"}).encode()
            with urllib.request.urlopen(self.url + "/setup", data=form, timeout=60) as answer:
                self.login = form
                self.bearer = json.load(answer)["access_token"]
        else:
            with urllib.request.urlopen(self.url + "/login", data=self.login, timeout=60) as answer:
                self.bearer = json.load(answer)["access_token"]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + "/api/v1" + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {self.bearer}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def target(self, name, **more):
        self.ask("PUT", "/devices", {"devices": [name], "auth_token": TOKEN, **more})

    def hardware(self, name):
        return self.tables("SELECT model FROM hardware WHERE id = (SELECT hardware_id FROM device WHERE id = ?)", name)[0][0]

    def log(self, name):
        return self.ask("GET", f"/devices/{name}/log")["log"] or ""

    def state(self, name):
        return self.tables("SELECT last_state FROM device WHERE id = ?", name)[0][0]

    def tables(self, statement, *values):
        with sqlite3.connect(self.folder / "db.sqlite3", timeout=30) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() or cursor.lastrowid

    def software(self, app, version, script):
        """Puts a tarball among what it serves; its number."""
        data = tarball(script)
        folder = self.folder / "artifacts"
        folder.mkdir(exist_ok=True)
        path = folder / f"{app}.v{version}.tar.gz"
        path.write_bytes(data)
        number = self.tables(
            "INSERT INTO software (uri, size, hash, version, image_format) VALUES (?, ?, ?, ?, 0)",
            path.as_uri(), len(data), hashlib.sha1(data).hexdigest(), version,
        )
        for (known,) in self.tables("SELECT id FROM hardware"):
            self.tables("INSERT INTO software_compatibility (software_id, hardware_id) VALUES (?, ?)", number, known)
        return number

    def assign(self, number, *targets, force=False):
        self.ask("PATCH", "/devices", {"devices": list(targets), "software": str(number), "force_update": force})


ERROR, FINISHED = 4, 5


def strangers_and_wrong_tokens(server, gwe, folder):
    gateway = Gateway(gwe, server, folder, "stranger", TOKEN)
    expect("one that it does not know is refused, and says so", gateway.check_in() == 1)
    server.target("known")
    gateway = Gateway(gwe, server, folder, "known", "wrong")
    expect("a wrong token is refused", gateway.check_in() == 1)


def installed(server, gateway):
    expect("the first poll registers", gateway.check_in() == 0)
    expect("with what hardware it is", server.hardware(gateway.name) == PRODUCT)
    server.assign(server.software("one", "1.0.0", f"{MARK}; echo it works"), gateway.name)
    expect("the check-in completes", gateway.check_in() == 0)
    print("   ", server.log(gateway.name).strip().replace("\n", "\n    "))
    expect("the app is installed by its SHA-1", gateway.marks() == ["one"])
    expect("goosebit says finished, and has its output", server.state(gateway.name) == FINISHED and "it works" in server.log(gateway.name))
    for _ in range(3):
        gateway.check_in()
    expect("and it is installed once, whatever polls follow", gateway.marks() == ["one"])


def failing(server, gateway):
    server.assign(server.software("two", "2.0.0", "echo '<b>why</b>'; exit 3"), gateway.name)
    gateway.check_in()
    expect("an update that fails is an error, with its reason", server.state(gateway.name) == ERROR and "install.sh exited with 3" in server.log(gateway.name))
    for _ in range(2):
        expect("nothing else comes of it", gateway.check_in() == 0)
    number = server.software("two", "2.0.1", MARK)
    server.assign(number, gateway.name, force=True)
    gateway.check_in()
    expect("the mended one is ordered by force", server.state(gateway.name) == FINISHED and gateway.marks() == ["one", "two"])


def outages(server, gateway):
    number = server.software("three", "3.0.0", f"kill -9 $(cat {server.folder}/pid); {MARK}")
    server.assign(number, gateway.name)
    expect("a server that dies in the install does not get its end", gateway.check_in() == 1)
    server.process.wait()
    expect("and what is installed stays", gateway.marks()[-1] == "three")
    expect("polls in an outage change nothing", gateway.check_in() == 1 and gateway.marks().count("three") == 1)
    server.start()
    expect("when it is back, it is told the end", gateway.check_in() == 0 and server.state(gateway.name) == FINISHED)
    expect("and nothing was installed twice", gateway.marks().count("three") == 1)


def all_is_killed(server, gateway):
    once = "[ -e $GWE_ROOT/once ] || { touch $GWE_ROOT/once; kill -9 $(cat %s/pid) $PPID; sleep 1; exit 1; }; " % server.folder
    server.assign(server.software("four", "4.0.0", once + MARK), gateway.name)
    gateway.check_in()
    server.process.wait()
    server.start()
    gateway.check_in()
    expect("after a kill -9 of both in the install, it is installed and told", server.state(gateway.name) == FINISHED and gateway.marks()[-1] == "four")
    gateway.check_in()
    expect("once", gateway.marks().count("four") == 1)


def roll_out(server, gwe, folder):
    gateways = []
    for index in range(6):
        name = f"fleet-{index}"
        server.target(name, feed="eu")
        gateways.append(Gateway(gwe, server, folder, name, TOKEN))
        gateways[-1].check_in()
    # Where there is a folder of that name, the app fails.
    (gateways[0].root / "broken").mkdir()
    number = server.software("fleet", "5.0.0", f"[ ! -e $GWE_ROOT/broken ] && {MARK}")
    server.ask("PUT", "/rollouts", {"name": "r1", "feed": "eu", "software_id": number})
    for gateway in gateways:
        gateway.check_in()
    counts = [(each["success_count"], each["failure_count"]) for each in server.ask("GET", "/rollouts")["rollouts"]]
    expect("a roll-out counts five that went well and one that did not", counts == [(5, 1)])


def the_engine(server, gwe, folder):
    server.target("engine")
    gateway = Gateway(gwe, server, folder, "engine", TOKEN)
    gateway.run("--set-ddi-interval", "1")
    environment = dict(os.environ, GWE_ROOT=str(gateway.root))
    with open(folder / "engine.log", "w", encoding="utf-8") as log:
        engine = subprocess.Popen([gwe], env=environment, stdout=log, stderr=log)
        try:
            wait_for("the engine registers by itself", lambda: server.state("engine") not in (0, 1), PATIENCE)
            server.assign(server.software("live", "6.0.0", MARK), "engine")
            wait_for("and takes an order", lambda: server.state("engine") == FINISHED, PATIENCE)
        finally:
            engine.terminate()
            engine.wait(30)
    expect("once", gateway.marks() == ["live"])


def main():
    gwe, python = sys.argv[1:3]
    # Not resolved: a .venv is known by the link.
    gwe, python = pathlib.Path(gwe).resolve(), pathlib.Path(python).absolute()
    with tempfile.TemporaryDirectory(prefix="gwe-goosebit-") as name:
        folder = pathlib.Path(name)
        server = Server(python, folder)
        try:
            server.start()
            server.target("product-1:0011")
            gateway = Gateway(gwe, server, folder, "product-1:0011", TOKEN)
            for story in (installed, failing, outages, all_is_killed):
                print(story.__name__.replace("_", " "))
                story(server, gateway)
            for story in (strangers_and_wrong_tokens, roll_out, the_engine):
                print(story.__name__.replace("_", " "))
                story(server, gwe, folder)
        finally:
            if server.process is not None:
                server.kill()
    print("all stories hold")


if __name__ == "__main__":
    main()
