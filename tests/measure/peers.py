"""The peers, where they are installed: what they keep resident, and how often they wake up."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from .gateway import TOP, Process


def supervisord(scratch):
    program = next((p for p in (str(TOP / ".venv/bin/supervisord"), shutil.which("supervisord")) if p and Path(p).exists()), None)
    if program is None:
        return None
    folder = scratch.path / "supervisord"
    folder.mkdir()
    (folder / "conf").write_text(
        f"[supervisord]\nnodaemon = true\nlogfile = /dev/null\nlogfile_maxbytes = 0\npidfile = {folder}/pid\n"
        f"[unix_http_server]\nfile = {folder}/socket\n"
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
    )
    return Process([program, "-n", "-c", folder / "conf"], folder / "log", cwd=folder)


def mender(scratch):
    """mender-client's daemon, waiting between two checks like our engine."""
    program = shutil.which("mender")
    if program is None:
        return None
    folder = scratch.path / "mender"
    folder.mkdir()
    intervals = ("InventoryPollIntervalSeconds", "UpdatePollIntervalSeconds", "RetryPollIntervalSeconds")
    settings = {"ServerURL": "https://127.0.0.1:9", **dict.fromkeys(intervals, 28800)}
    (folder / "mender.conf").write_text(json.dumps(settings))
    (folder / "device_type").write_text("device_type=measured\n")
    return Process([program, "--config", folder / "mender.conf", "--data", folder, "daemon"], folder / "log", cwd=folder)


def rauc(scratch):
    """RAUC's service on a message bus of its own; it has no polling of its own to do."""
    program, bus = shutil.which("rauc"), shutil.which("dbus-daemon")
    if program is None or bus is None:
        return None
    folder = scratch.path / "rauc"
    folder.mkdir()
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=measured"]
    made = subprocess.run([*request, "-keyout", folder / "key.pem", "-out", folder / "ca.pem"], capture_output=True, check=False)
    if made.returncode != 0:
        return None
    (folder / "slot").touch()
    (folder / "system.conf").write_text(
        f"[system]\ncompatible=measured\nbootloader=noop\nstatusfile={folder}/status\n"
        f"[keyring]\npath={folder}/ca.pem\n[slot.rootfs.0]\ndevice={folder}/slot\n"
    )
    (folder / "bus.conf").write_text(
        f'<busconfig><type>custom</type><listen>unix:path={folder}/bus</listen><policy context="default"><allow own="*"/>'
        '<allow send_destination="*"/><allow user="*"/></policy></busconfig>'
    )
    script = (
        f"'{bus}' --config-file='{folder}/bus.conf' --nofork & bus=$!; sleep 1\n"
        f"'{program}' --conf='{folder}/system.conf' --override-boot-slot=rootfs.0 service & rauc=$!\n"
        f"echo $rauc >'{folder}/pid'; trap 'kill $rauc $bus' TERM; wait"
    )
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus"}
    return Process(["sh", "-c", script], folder / "log", cwd=folder, env=environment)


IDLE = [("supervisord", supervisord), ("mender-client", mender), ("rauc", rauc)]


def pid_of(name, process, scratch):
    """Whom to watch: rauc is a child of the shell that gives it a bus."""
    if name != "rauc":
        return process.pid
    try:
        return int((scratch.path / "rauc/pid").read_text())
    except (OSError, ValueError):
        return None
