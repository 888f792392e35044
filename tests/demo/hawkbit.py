#!/usr/bin/env python3
"""make demo BACKEND=hawkbit: the main job with a real hawkBit giving the orders, on this machine, in one folder.

    hawkbit.py JAR      JAR: hawkbit-update-server's executable jar (Java 17)

hawkBit on loopback, our own supervisord with the shipped fragments, a gateway that registers itself by the gateway token, an app that is built,
deployed over the air, seen running, and updated; at the end hawkBit's own view of it. Needs no root, leaves nothing running. Python's standard
library alone.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/hawkbit"))

from server import Server  # noqa: E402

SERIAL, APP, TOKEN = "demo-gateway-1", "hello_gateway", "demo-token-0123456789"
PATIENCE = 120
FOLDER = pathlib.Path(os.environ.get("DEMO_DIR") or TOP / ".demo")
ROOT = FOLDER / "root"
ENVIRONMENT = dict(os.environ, GWE_ROOT=str(ROOT), PATH=f"{ROOT}/usr/bin:{os.environ['PATH']}")
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    ENVIRONMENT.pop(name, None)
SUPERVISORCTL = ["supervisorctl", "-c", f"{ROOT}/etc/gwe/supervisord.conf"]


def step(text):
    print(f"\n\033[1m== {text}\033[0m", flush=True)


def run(*command, shown=True):
    command = [str(part) for part in command]
    if shown:
        print("$", " ".join(command), flush=True)
    ran = subprocess.run(command, env=ENVIRONMENT, cwd=FOLDER, stdout=subprocess.PIPE, text=True, timeout=PATIENCE)
    if shown:
        print(ran.stdout, end="", flush=True)
    return ran.stdout


def wait_for(what, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            sys.exit(f"demo: {what} did not happen within {PATIENCE} s")
        time.sleep(0.5)


def install_gateway(url):
    """The image's files below this folder: the same list that recipes install, with every path moved."""
    subprocess.run([
        "make", "-s", "-C", TOP, "install", f"DESTDIR={ROOT}", "INIT=none", "DOCS=no", f"BINARY={TOP}/target/release/gwe", "PRODUCT_ID=demo", "IFACE=",
        "BACKEND=ddi", f"DDI_URL={url}", f"DDI_TOKEN={TOKEN}", "DDI_TOKEN_KIND=gateway", "DDI_INTERVAL=2",
    ], env=ENVIRONMENT, check=True)
    for folder in ("var/run", "var/log", "var/lib/gwe/supervisor.d", "run/gwe"):
        (ROOT / folder).mkdir(parents=True, exist_ok=True)
    for path in [ROOT / "etc/gwe/supervisord.conf", *(ROOT / "etc/gwe/supervisor.d").glob("*.conf")]:
        text = re.sub(r"^user = root\n", "", path.read_text(), flags=re.M)
        path.write_text(re.sub("/(etc|var|usr/bin)/", rf"{ROOT}/\1/", text))
    # gmq is the Device API's, and listens on a fixed port.
    (ROOT / "etc/gwe/supervisor.d/gmq.conf").unlink(missing_ok=True)


def deploy(server, version, greeting):
    source = FOLDER / "app"
    shutil.copytree(TOP / "tests/demo/hello", source, dirs_exist_ok=True)
    (source / "greeting.txt").write_text(greeting + "\n")
    run("gwe", "--build-app", source / "buildfile.json", "--app-version", version)
    name = f"{APP}.v{version}.tar.gz"
    found = [path for path in (FOLDER / name, source / name) if path.exists()]
    print(f"(hawkBit) a software module with {name}, a distribution set, and its assignment to {SERIAL}", flush=True)
    action = server.order(SERIAL, server.module(APP, version, files={name: found[0].read_bytes()}))
    wait_for(f"the installation of {APP} v{version}", lambda: server.last(SERIAL, action)[0] in ("finished", "error"))
    server.tell(SERIAL, action)
    if server.last(SERIAL, action) != ("finished", 0):
        sys.exit(f"demo: {APP} v{version} was not installed")
    run(*SUPERVISORCTL, "status")
    time.sleep(1)
    run("tail", "-n", "1", ROOT / f"var/log/{APP}.log")
    return action


def story(server, started):
    step("1. hawkBit on loopback, and a gateway token")
    server.start()
    server.with_tokens(TOKEN)
    print(server.url)
    step(f"2. A gateway: the image's files in {ROOT}, and supervisord with the shipped fragments")
    install_gateway(server.url)
    run("gwe", "--set-uuid", SERIAL)
    with open(FOLDER / "supervisord.log", "w", encoding="utf-8") as log:
        command = [ROOT / "usr/bin/supervisord", "-n", "-c", ROOT / "etc/gwe/supervisord.conf"]
        started.append(subprocess.Popen(command, env=ENVIRONMENT, cwd=FOLDER, stdout=log, stderr=log))
    wait_for("gwe's start", lambda: "RUNNING" in run(*SUPERVISORCTL, "status", "gwe", shown=False))
    step("3. The gateway registers itself, and tells what it is")
    wait_for("the registration", lambda: SERIAL in [each["controllerId"] for each in server.ask("GET", "/targets")["content"]])
    wait_for("the attributes", lambda: server.attributes(SERIAL))
    step("4. Build an app and deploy it over the air")
    deploy(server, "1.0.0", "Hello from version 1")
    step("5. Version 2 over version 1")
    deploy(server, "2.0.0", "Hello from version 2")
    step("6. What hawkBit's operator sees")
    wait_for("the report of version 2", lambda: server.attributes(SERIAL).get(f"app.{APP}") == "2.0.0")
    target = server.ask("GET", f"/targets/{SERIAL}")
    print(f"{SERIAL}: {target['updateStatus']}")
    for action in reversed(server.ask("GET", f"/targets/{SERIAL}/actions?sort=id:ASC")["content"]):
        print(f"action {action['id']}: {action['status']}, {action.get('detailStatus')}")
    for key, value in sorted(server.attributes(SERIAL).items()):
        print(f"    {key:<20}{value}")
    run("gwe", "--status")
    if target["updateStatus"] != "in_sync" or "version 2" not in (ROOT / f"var/log/{APP}.log").read_text().splitlines()[-1]:
        sys.exit("demo: version 2 does not run")


def main():
    jar = pathlib.Path(sys.argv[1]).resolve()
    shutil.rmtree(FOLDER, ignore_errors=True)
    ROOT.mkdir(parents=True)
    server, started = Server(jar, FOLDER), []
    try:
        story(server, started)
    finally:
        for process in started:
            process.terminate()
            process.wait(PATIENCE)
        server.stop()
    step(f"Done: nothing is left running; the files are in {FOLDER}")


if __name__ == "__main__":
    main()
