"""A real hawkBit on loopback, and its management API as the stories, the demo and the load test use it."""

import base64
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from gateway import tarball

START_LIMIT = 600
ASK_LIMIT = 60
# The compiler that is quick to start: what runs here runs for minutes.
JAVA = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
BOUNDARY = "a-line-that-no-tarball-has"


class Server:
    """hawkBit, its data in a folder: what it has committed survives a kill."""

    def __init__(self, jar, folder, java=None):
        self.jar, self.folder, self.java = jar, pathlib.Path(folder), java or JAVA
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.sets, self.process = 0, None

    def start(self):
        options = {
            "server.address": "127.0.0.1",
            "server.port": self.port,
            "hawkbit.server.ddi.security.authentication.targettoken.enabled": "true",
            "hawkbit.server.ddi.security.authentication.gatewaytoken.enabled": "true",
            "hawkbit.controller.minPollingTime": "00:00:01",
            "hawkbit.controller.maxPollingTime": "P3D",
            "hawkbit.events.remote.enabled": "false",
            "org.eclipse.hawkbit.artifact.fs.path": self.folder / "artifacts",
            "spring.datasource.url": f"jdbc:h2:file:{self.folder}/h2;MODE=LEGACY;WRITE_DELAY=0",
        }
        arguments = [f"--{key}={value}" for key, value in options.items()]
        log = open(self.folder / "hawkbit.log", "a", encoding="utf-8")
        self.process = subprocess.Popen([*self.java, "-jar", str(self.jar), *arguments], cwd=self.folder, stdout=log, stderr=log)
        (self.folder / "pid").write_text(str(self.process.pid))
        for _ in range(START_LIMIT):
            if self.process.poll() is not None:
                sys.exit(f"hawkBit ended; see {log.name}:\n{pathlib.Path(log.name).read_text()[-3000:]}")
            try:
                self.ask("GET", "/targets")
                return
            except (urllib.error.URLError, OSError):
                time.sleep(1)
        sys.exit(f"hawkBit is not up after {START_LIMIT} s")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)

    def complaints(self):
        """What the server has logged of its own failures, the newest last."""
        lines = (self.folder / "hawkbit.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if " ERROR " in line or "Exception" in line][-20:]

    def ask(self, method, path, body=None, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + "/rest/v1" + path, data=data, method=method)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"admin:admin").decode())
        if data is not None:
            request.add_header("Content-Type", kind)
        with urllib.request.urlopen(request, timeout=ASK_LIMIT) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def set(self, key, value):
        self.ask("PUT", f"/system/configs/{key}", {"value": value})

    def with_tokens(self, gateway_token):
        """Both kinds of token count from here on."""
        for key in ("authentication.targettoken.enabled", "authentication.gatewaytoken.enabled"):
            self.set(key, True)
        self.set("authentication.gatewaytoken.key", gateway_token)

    def target(self, name, token):
        self.ask("POST", "/targets", [{"controllerId": name, "name": name, "securityToken": token}])

    def module(self, app, version, script="true", files=None, metadata=None):
        """A software module; its files, else a tarball with this install.sh."""
        kind = {"name": app, "version": version, "type": "application"}
        number = self.ask("POST", "/softwaremodules", [kind])[0]["id"]
        for name, data in (files or {f"{app}.v{version}.tar.gz": tarball(script)}).items():
            self.artifact(number, name, data)
        if metadata:
            entries = [{"key": key, "value": value, "targetVisible": True} for key, value in metadata.items()]
            self.ask("POST", f"/softwaremodules/{number}/metadata", entries)
        return number

    def artifact(self, module, name, data):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
        self.ask("POST", f"/softwaremodules/{module}/artifacts", body, f"multipart/form-data; boundary={BOUNDARY}")

    def set_of(self, *modules):
        self.sets += 1
        kind = {"name": f"set {self.sets}", "version": "1", "type": "app", "modules": [{"id": m} for m in modules]}
        return self.ask("POST", "/distributionsets", [kind])[0]["id"]

    def assign(self, number, target, **more):
        body = [{"id": target, "type": "forced", **more}]
        return self.ask("POST", f"/distributionsets/{number}/assignedTargets", body)["assignedActions"][0]["id"]

    def order(self, target, *modules, **more):
        return self.assign(self.set_of(*modules), target, **more)

    def cancel(self, target, action):
        self.ask("DELETE", f"/targets/{target}/actions/{action}")

    def history(self, target, action):
        path = f"/targets/{target}/actions/{action}/status?sort=id:ASC&limit=100"
        return self.ask("GET", path)["content"]

    def last(self, target, action):
        """How the action stands: its last entry's type and code."""
        entry = self.history(target, action)[-1]
        return entry["type"], entry.get("code")

    def messages(self, target, action):
        return [message for entry in self.history(target, action) for message in entry.get("messages") or []]

    def tell(self, target, action):
        for entry in self.history(target, action):
            print(f"    {entry['type']:<12}{entry.get('code', '')} {entry.get('messages')}")

    def attributes(self, target):
        return self.ask("GET", f"/targets/{target}/attributes") or {}

    def roll_out(self, number, query, groups):
        """A roll-out, begun: a group that went well calls the next, half a group's failures stop it all."""
        condition = lambda share: {"condition": "THRESHOLD", "expression": share}
        roll_out = self.ask("POST", "/rollouts", {
            "name": f"roll-out of {number}", "distributionSetId": number, "targetFilterQuery": query, "amountGroups": groups, "type": "forced",
            "successCondition": condition("100"), "successAction": {"action": "NEXTGROUP", "expression": ""},
            "errorCondition": condition("50"), "errorAction": {"action": "PAUSE", "expression": ""},
        })["id"]
        self.await_roll_out(roll_out, "ready")
        self.ask("POST", f"/rollouts/{roll_out}/start")
        return roll_out

    def roll_out_stands(self, roll_out):
        groups = self.ask("GET", f"/rollouts/{roll_out}/deploygroups")["content"]
        return self.ask("GET", f"/rollouts/{roll_out}")["status"], [group["status"] for group in groups]

    def await_roll_out(self, roll_out, state):
        for _ in range(ASK_LIMIT):
            if self.roll_out_stands(roll_out)[0] == state:
                return
            time.sleep(1)
        sys.exit(f"the roll-out is {self.roll_out_stands(roll_out)} and not {state}")
