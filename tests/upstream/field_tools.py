#!/usr/bin/env python3
"""What others made to drive supervisord, on the real one and on ours in one run: every step must end alike. `make field-tools`.

Ansible's supervisorctl module, check_supervisord (nagios-check-supervisord) and, as an event listener, supervisord-dependent-startup. They come from
PyPI into a virtual environment of their own, of which the wheel of `ansible` is 50 MB: so this is no part of make test.

Usage: field_tools.py GWE FOLDER   GWE has hosting-core beside it; FOLDER keeps what was fetched
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path

PACKAGES = ["supervisor==4.3.0", "supervisord-dependent-startup==1.4.0", "nagios-check-supervisord==2.2.1", "ansible-core==2.16.19"]
# Of this one a single file.
ANSIBLE = "ansible==9.13.0"
MODULE = "ansible_collections/community/general/plugins/modules/supervisorctl.py"
PATIENCE = 60

CONFIGURATION = """[supervisord]
logfile = {here}/log
pidfile = {here}/pid
childlogdir = {here}
[unix_http_server]
file = {here}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{here}/sock
[program:a]
command = sleep 600
startsecs = 0
autostart = false
[program:b]
command = sleep 600
startsecs = 0
[program:wrong]
command = {here}/not-there
[eventlistener:order]
command = {bin}/supervisord-dependent-startup -c {here}/conf
events = PROCESS_STATE
autorestart = unexpected
[program:first]
command = sleep 600
startsecs = 1
autostart = false
dependent_startup = true
[program:second]
command = sleep 600
startsecs = 1
autostart = false
dependent_startup = true
dependent_startup_wait_for = first:running
"""
LATE = "[program:late]\ncommand = sleep 600\nstartsecs = 0\n"

# Name, state, and what else the module gets.
ANSIBLE_STEPS = [
    ("a", "started", ""), ("a", "started", ""), ("a", "restarted", ""), ("a", "signalled", "signal=CONT"), ("a", "stopped", ""), ("a", "stopped", ""),
    ("nobody", "started", ""), ("wrong", "started", ""), ("late", "present", ""), ("late", "present", ""), ("late", "stopped", ""),
    ("late", "absent", ""), ("late", "absent", ""), ("b", "restarted", ""),
]


def fetched(folder):
    """The environment's programs, and where the collection is."""
    bin_folder = folder / "venv/bin"
    if not (folder / "ready").exists():
        venv.create(folder / "venv", with_pip=True)
        pip = [bin_folder / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", *PACKAGES], check=True)
        subprocess.run([*pip, "download", "--no-deps", "--dest", folder, ANSIBLE], check=True)
        with zipfile.ZipFile(next(folder.glob("ansible-*.whl"))) as wheel:
            wheel.extract(MODULE, folder)
        (folder / "ready").touch()
    return bin_folder


def wait_for(what, is_true):
    end = time.monotonic() + PATIENCE
    while not is_true():
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.1)


def ansible(bin_folder, folder, here, controller, name, state, more):
    words = f"name={name} state={state} config={here}/conf supervisorctl_path={controller} {more}"
    # Where the module and its interpreter are; nothing of this user's own.
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_HOME": str(here / "ansible"),
                   "ANSIBLE_PYTHON_INTERPRETER": str(bin_folder / "python"), "ANSIBLE_LOCALHOST_WARNING": "0",
                   "ANSIBLE_CONFIG": str(here / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run([bin_folder / "ansible", "localhost", "-c", "local", "-m", "community.general.supervisorctl", "-a", words],
                          env=environment, capture_output=True, text=True)
    try:
        result = json.loads(done.stdout[done.stdout.index("{"):])
    except ValueError:
        raise SystemExit(f"ansible: {done.stdout}{done.stderr}") from None
    return done.returncode, result.get("changed"), result.get("failed", False), result.get("msg"), result.get("affected")


def check(bin_folder, here):
    done = subprocess.run([bin_folder / "python", bin_folder / "check_supervisord.py", "-s", f"{here}/sock"], capture_output=True, text=True)
    return done.returncode, re.sub(r"\d+", "N", done.stdout.replace(str(here), "HERE")), done.stderr.splitlines()[-1:]


def outcomes(bin_folder, folder, here, daemon, controller):
    """Everything, in order, on this supervisord."""
    (here / "conf").write_text(CONFIGURATION.format(here=here, bin=bin_folder))
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    process = subprocess.Popen([*daemon, "-n", "-c", here / "conf"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (here / "ansible.cfg").write_text("")
    log = here / "log"
    said = []
    try:
        wait_for("second to run", lambda: log.exists() and "success: second entered RUNNING" in log.read_text())
        text = log.read_text()
        said.append(("second after first", text.index("success: first entered RUNNING") < text.index("spawned: 'second'")))
        wait_for("wrong to be given up", lambda: "gave up: wrong entered FATAL" in log.read_text())
        said.append(("check", check(bin_folder, here)))
        with open(here / "conf", "a") as file:
            file.write(LATE)
        for step in ANSIBLE_STEPS:
            said.append((step, ansible(bin_folder, folder, here, controller, *step)))
        said.append(("check", check(bin_folder, here)))
    finally:
        process.terminate()
        process.wait()
    # Folders have names of their own.
    return json.loads(json.dumps(said).replace(str(here), "HERE"))


def main():
    gwe, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    bin_folder = fetched(folder)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        for name in ("real", "ours"):
            (scratch / name).mkdir()
        for name in ("supervisord", "supervisorctl"):
            (scratch / name).symlink_to(gwe)
        real = outcomes(bin_folder, folder, scratch / "real", [bin_folder / "supervisord"], bin_folder / "supervisorctl")
        ours = outcomes(bin_folder, folder, scratch / "ours", [scratch / "supervisord"], scratch / "supervisorctl")
    status = 0
    for theirs, own in zip(real, ours):
        print("same " if theirs == own else "OTHER", theirs, "" if theirs == own else own)
        status |= theirs != own
    return status


if __name__ == "__main__":
    sys.exit(main())
