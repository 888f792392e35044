"""Stories of apps that run, hosted by our own supervisord, and of the agent's own update."""

import json
import os
import pathlib
import shutil
import subprocess

from gateway import COMMAND_LIMIT, MARK, Gateway, expect, hosted_app, other_agent, packed, wait_for

INSTALLER = pathlib.Path(__file__).parents[2] / "configs/otau/install.sh"
UPDATE_LIMIT = 180


def a_roll_back(server, gateway):
    stays = server.order(gateway.name, server.module("host", "1", files={"host.v1.tar.gz": hosted_app("echo up; exec sleep 600")}))
    gateway.check_in()
    expect("an app that stays up is installed", server.last(gateway.name, stays) == ("finished", 0) and "RUNNING" in gateway.ctl("status", "host"))
    falls = server.order(gateway.name, server.module("host", "2", files={"host.v2.tar.gz": hosted_app("exit 1")}))
    gateway.check_in()
    server.tell(gateway.name, falls)
    expect("one that does not is rolled back, code 6", server.last(gateway.name, falls) == ("error", 6))
    gateway.check_in()
    told = server.attributes(gateway.name)
    expect("and the attributes say what runs", told["app.host"] == "1" and "v2" in told["note.host"] and "RUNNING" in gateway.ctl("status", "host"))


def a_delta(server, gateway):
    noise = os.urandom(200_000)
    versions = {version: packed({"install.sh": f"#!/bin/sh\n{MARK}\n", "data": noise, "version": version}) for version in "12"}
    folder = gateway.root / "made"
    folder.mkdir()
    for version, data in versions.items():
        (folder / f"large.v{version}.tar.gz").write_bytes(data)
    gateway.check_in_order(server, server.module("large", "1", files={"large.v1.tar.gz": versions["1"]}))
    made = subprocess.run([gateway.gwe, "--build-delta", "large.v1.tar.gz", "large.v2.tar.gz"], cwd=folder, timeout=COMMAND_LIMIT, capture_output=True, text=True)
    name = "large.v2.from.v1.delta"
    expect(f"a delta is made {made.stderr.strip()}", (folder / name).exists())
    files = {"large.v2.tar.gz": versions["2"], name: (folder / name).read_bytes()}
    action = gateway.check_in_order(server, server.module("large", "2", files=files))
    loads = [message.rsplit("/", 1)[1] for message in server.messages(gateway.name, action) if "downloads" in message]
    expect(f"of a module with both, the delta alone is downloaded: {loads}", loads == [name])
    expect("and installed", server.last(gateway.name, action) == ("finished", 0) and gateway.marks().count("large") == 2)


def logs(server, gateway):
    (gateway.root / "var/log").mkdir(parents=True, exist_ok=True)
    (gateway.root / "var/log/host.log").write_text("one\ntwo <b>\nthree\n")
    action = server.order(gateway.name, server.module("logs", "1", files={"logs.json": json.dumps({"host": 2}).encode()}))
    gateway.check_in()
    server.tell(gateway.name, action)
    said = server.messages(gateway.name, action)
    expect("an order for logs ends with their newest lines", server.last(gateway.name, action)[0] == "finished")
    expect("two of three, and no markup", any("three" in line for line in said) and any("(b)" in line for line in said) and not any(line.endswith("one") for line in said))


def a_removal(server, gateway):
    action = server.order(gateway.name, server.module("host", "gone", files={"any.txt": b"x"}, metadata={"gwe": "remove"}))
    gateway.check_in()
    server.tell(gateway.name, action)
    expect("an app is taken away", server.last(gateway.name, action) == ("finished", 0) and "host" not in gateway.ctl("status"))
    gateway.check_in()
    expect("and leaves the attributes", "app.host" not in server.attributes(gateway.name))


def the_agent_itself(server, gwe, folder):
    """The engine runs as an image's would, takes a version of itself, and then one that crashes."""
    server.target("engine", "t")
    gateway = Gateway(gwe, server, folder, "engine", "t")
    gateway.run("--set-ddi-interval", "1")
    image = gateway.root / "usr/bin/gwe"
    image.parent.mkdir(parents=True)
    shutil.copy2(gwe, image)
    own = lambda agent: packed({"gwe": agent, "install.sh": INSTALLER.read_text()})
    better = other_agent(gwe, "0.9.1")
    worse = b"#!/bin/sh\ncase $1 in\n--version) echo 0.9.2 ;;\n--once) kill -9 $$ ;;\nesac\n"
    with open(folder / "engine.log", "w", encoding="utf-8") as log:
        engine = subprocess.Popen([image], env=gateway.environment(), stdout=log, stderr=log)
        try:
            wait_for("the engine registers by itself", lambda: server.attributes("engine").get("gwe"), UPDATE_LIMIT)
            action = server.order("engine", server.module("gwe", "0.9.1", files={"gwe.v0.9.1.tar.gz": own(better)}))
            wait_for("it takes a version of itself, and says so after its trial", lambda: server.last("engine", action) == ("finished", 0), UPDATE_LIMIT)
            wait_for("which the attributes tell", lambda: server.attributes("engine").get("gwe") == "0.9.1", UPDATE_LIMIT)
            wait_for("and which runs", lambda: pathlib.Path(f"/proc/{engine.pid}/exe").resolve() != image.resolve(), UPDATE_LIMIT)
            action = server.order("engine", server.module("gwe", "0.9.2", files={"gwe.v0.9.2.tar.gz": own(worse)}))
            wait_for("one that crashes is an error", lambda: server.last("engine", action)[0] == "error", UPDATE_LIMIT)
            server.tell("engine", action)
            expect("rolled back, code 6", server.last("engine", action) == ("error", 6))
        finally:
            engine.terminate()
            engine.wait(30)
