#!/usr/bin/env python3
"""The agent against a real hawkBit: each story is told through hawkBit's management API and judged by what hawkBit then says.

    stories.py GWE JAR      GWE: the agent; JAR: hawkbit-update-server-1.0.4.jar (Java 17)

Starts the server on loopback with its data in memory, and ends it. Python's standard library alone.
"""

import base64
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from gateway import MARK, PRODUCT, Gateway, expect, tarball, wait_for

START_LIMIT = 600


class Server:
    """hawkBit, and its management API."""

    def __init__(self, jar, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        options = {
            "server.address": "127.0.0.1",
            "server.port": self.port,
            "hawkbit.server.ddi.security.authentication.targettoken.enabled": "true",
            "hawkbit.server.ddi.security.authentication.gatewaytoken.enabled": "true",
            "hawkbit.controller.minPollingTime": "00:00:01",
            "hawkbit.events.remote.enabled": "false",
            "org.eclipse.hawkbit.artifact.fs.path": folder / "artifacts",
        }
        arguments = [f"--{key}={value}" for key, value in options.items()]
        self.log = open(folder / "hawkbit.log", "w", encoding="utf-8")
        java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-jar", str(jar)]
        self.process = subprocess.Popen(java + arguments, cwd=folder, stdout=self.log, stderr=self.log)
        self.modules = 0

    def wait(self):
        for _ in range(START_LIMIT):
            if self.process.poll() is not None:
                sys.exit(f"hawkBit ended; see {self.log.name}")
            try:
                self.ask("GET", "/targets")
                return
            except (urllib.error.URLError, OSError):
                time.sleep(1)
        sys.exit(f"hawkBit is not up after {START_LIMIT} s")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def ask(self, method, path, body=None, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + "/rest/v1" + path, data=data, method=method)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"admin:admin").decode())
        if data is not None:
            request.add_header("Content-Type", kind)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def set(self, key, value):
        self.ask("PUT", f"/system/configs/{key}", {"value": value})

    def target(self, name, token):
        self.ask("POST", "/targets", [{"controllerId": name, "name": name, "securityToken": token}])

    def module(self, app, version, script):
        name = f"{app}.v{version}.tar.gz"
        kind = {"name": app, "version": version, "type": "application"}
        number = self.ask("POST", "/softwaremodules", [kind])[0]["id"]
        part = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        body = part + tarball(script) + b"\r\n--x--\r\n"
        self.ask("POST", f"/softwaremodules/{number}/artifacts", body, "multipart/form-data; boundary=x")
        return number

    def set_of(self, *modules):
        self.modules += 1
        kind = {"name": f"set {self.modules}", "version": "1", "type": "app", "modules": [{"id": m} for m in modules]}
        return self.ask("POST", "/distributionsets", [kind])[0]["id"]

    def assign(self, number, target, **more):
        body = [{"id": target, "type": "forced", **more}]
        return self.ask("POST", f"/distributionsets/{number}/assignedTargets", body)["assignedActions"][0]["id"]

    def history(self, target, action):
        path = f"/targets/{target}/actions/{action}/status?sort=id:ASC&limit=100"
        return self.ask("GET", path)["content"]

    def attributes(self, target):
        return self.ask("GET", f"/targets/{target}/attributes") or {}


def tell(server, gateway, action):
    for entry in server.history(gateway.name, action):
        print(f"    {entry['type']:<12}{entry.get('code', '')} {entry.get('messages')}")


def last(server, gateway, action):
    entry = server.history(gateway.name, action)[-1]
    return entry["type"], entry.get("code")


def two_apps(server, gateway):
    number = server.set_of(server.module("one", "1", MARK), server.module("two", "1", MARK))
    action = server.assign(number, gateway.name)
    expect("the check-in completes", gateway.check_in() == 0)
    tell(server, gateway, action)
    expect("two apps of one set are installed", sorted(gateway.marks()) == ["one", "two"])
    expect("hawkBit says finished, code 0", last(server, gateway, action) == ("finished", 0))
    gateway.check_in()
    expect("the attributes tell the versions", server.attributes(gateway.name).get("app.two") == "1")


def an_update_that_fails(server, gateway):
    number = server.set_of(server.module("one", "2", "echo '<b>why</b>'; exit 3"))
    action = server.assign(number, gateway.name)
    gateway.check_in()
    tell(server, gateway, action)
    expect("hawkBit says error, code 1, markup or not", last(server, gateway, action) == ("error", 1))


def download_only(server, gateway):
    module = server.module("later", "1", MARK)
    action = server.assign(server.set_of(module), gateway.name, type="downloadonly")
    gateway.check_in()
    expect("downloaded, and not installed", last(server, gateway, action)[0] == "downloaded" and "later" not in gateway.marks())
    action = server.assign(server.set_of(module, server.module("other", "1", MARK)), gateway.name)
    gateway.check_in()
    loads = [m for entry in server.history(gateway.name, action) for m in entry["messages"] if "later.v1" in m and "downloads" in m]
    expect("another set of the module installs it without another download", "later" in gateway.marks() and not loads)


def window_and_cancel_in_time(server, gateway):
    window = {"schedule": "0 0 3 1 1 ? 2090", "duration": "01:00:00", "timezone": "+00:00"}
    number = server.set_of(server.module("windowed", "1", MARK))
    action = server.assign(number, gateway.name, maintenanceWindow=window)
    for _ in range(5):
        gateway.check_in()
    kinds = [entry["type"] for entry in server.history(gateway.name, action)]
    expect("downloaded once, looked at only where its link has changed", kinds.count("downloaded") == 1 and kinds.count("retrieved") <= 2)
    expect("it is not installed before its window", "windowed" not in gateway.marks())
    server.ask("DELETE", f"/targets/{gateway.name}/actions/{action}")
    gateway.check_in()
    expect("a cancel in time is confirmed", last(server, gateway, action)[0] == "canceled")


def consent(server, gateway):
    server.set("user.confirmation.flow.enabled", True)
    number = server.set_of(server.module("agreed", "1", MARK))
    action = server.assign(number, gateway.name)
    gateway.check_in()
    expect("without consent nothing is begun", "agreed" not in gateway.marks())
    gateway.run("--set-ddi-confirm", "auto")
    gateway.check_in()
    expect("with it, it is installed", last(server, gateway, action) == ("finished", 0) and "agreed" in gateway.marks())
    server.set("user.confirmation.flow.enabled", False)


def by_gateway_token(server, gwe, folder):
    gateway = Gateway(gwe, server, folder, "product-1:9999", "gw-token", "gateway")
    expect("an unknown gateway registers itself by its first poll", gateway.check_in() == 0)
    expect("with its attributes", server.attributes(gateway.name).get("product") == PRODUCT)


def roll_out(server, gwe, folder):
    gateways = []
    for index in range(12):
        name = f"fleet-{index:02}"
        server.target(name, "t")
        gateways.append(Gateway(gwe, server, folder, name, "t"))
    bad = server.set_of(server.module("fleet", "1", "exit 1"))
    condition = lambda kind: {"condition": "THRESHOLD", "expression": kind}
    number = server.ask("POST", "/rollouts", {
        "name": "r1", "distributionSetId": bad, "targetFilterQuery": "controllerId==fleet-*", "amountGroups": 2, "type": "forced",
        "successCondition": condition("100"), "successAction": {"action": "NEXTGROUP", "expression": ""},
        "errorCondition": condition("50"), "errorAction": {"action": "PAUSE", "expression": ""},
    })["id"]
    state = lambda: server.ask("GET", f"/rollouts/{number}")["status"]
    wait_for("the roll-out is ready", lambda: state() == "ready")
    server.ask("POST", f"/rollouts/{number}/start")
    wait_for("the roll-out runs", lambda: state() == "running")
    for gateway in gateways:
        gateway.check_in()
    wait_for("its first group's failures stop it", lambda: state() == "paused")
    groups = server.ask("GET", f"/rollouts/{number}/deploygroups")["content"]
    print("   ", [(group["name"], group["status"]) for group in groups])
    tried = [g for g in gateways if g.run("--status") == 0 and server.attributes(g.name).get("note.fleet") is None]
    expect("the second group was never asked", len(tried) >= 6)


def main():
    gwe, jar = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory(prefix="gwe-hawkbit-") as name:
        folder = pathlib.Path(name)
        server = Server(jar, folder)
        try:
            server.wait()
            for key in ("authentication.targettoken.enabled", "authentication.gatewaytoken.enabled"):
                server.set(key, True)
            server.set("authentication.gatewaytoken.key", "gw-token")
            server.target("product-1:0011", "t-secret")
            gateway = Gateway(gwe, server, folder, "product-1:0011", "t-secret")
            for story in (two_apps, an_update_that_fails, download_only, window_and_cancel_in_time, consent):
                print(story.__name__.replace("_", " "))
                story(server, gateway)
            for story in (by_gateway_token, roll_out):
                print(story.__name__.replace("_", " "))
                story(server, gwe, folder)
        finally:
            server.stop()
    print("all stories hold")


if __name__ == "__main__":
    main()
