"""What the stories of every server share: the agent with a root of its own, its tarballs, and the judge of what is so."""

import gzip
import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time

COMMAND_LIMIT = 300
PRODUCT = "product-1"

SUPERVISORD = """[supervisord]
logfile = {root}/supervisord.log
pidfile = {root}/supervisord.pid
[unix_http_server]
file = {root}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{root}/supervisor.sock
[include]
files = {root}/var/lib/gwe/supervisor.d/*.conf
"""


class Gateway:
    """The agent with a root of its own."""

    def __init__(self, gwe, server, folder, name, token, kind="target"):
        self.gwe, self.name, self.root = gwe, name, folder / name.replace(":", "-")
        self.supervisord = None
        self.run("--set-backend", "ddi", "--set-ddi-url", server.url, "--set-ddi-id", name, "--set-ddi-token", token)
        self.run("--set-ddi-token-kind", kind, "--set-product-id", PRODUCT)

    def environment(self):
        return dict(os.environ, GWE_ROOT=str(self.root))

    def run(self, *arguments):
        done = subprocess.run([self.gwe, *arguments], env=self.environment(), capture_output=True, text=True, timeout=COMMAND_LIMIT)
        return done.returncode

    def check_in(self):
        return self.run("--once")

    def check_in_order(self, server, *modules):
        """Orders these modules and has the gateway check in: the action's number."""
        action = server.order(self.name, *modules)
        self.check_in()
        return action

    def marks(self):
        path = self.root / "marks"
        return path.read_text().split() if path.exists() else []

    def host(self):
        """Starts our own supervisord for its apps, which the core beside the agent belongs to."""
        (self.root / "etc/gwe").mkdir(parents=True, exist_ok=True)
        (self.root / "etc/gwe/Engine.config").write_text("[supervisor]\nsocket = /supervisor.sock\n[install]\nsettle = 1\n")
        config = self.root / "supervisord.conf"
        config.write_text(SUPERVISORD.format(root=self.root))
        for name in ("supervisord", "supervisorctl"):
            if not (self.root / name).is_symlink():
                (self.root / name).symlink_to(self.gwe)
        with open(self.root / "supervisord.out", "a", encoding="utf-8") as log:
            command = [self.root / "supervisord", "--nodaemon", "--configuration", config]
            self.supervisord = subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log)
        wait_for("supervisord is up", self.is_hosting)

    def is_hosting(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.root / "supervisor.sock")) == 0

    def ctl(self, *arguments):
        command = [self.root / "supervisorctl", "-c", self.root / "supervisord.conf", *arguments]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=COMMAND_LIMIT).stdout

    def stop(self):
        if self.supervisord is not None:
            self.supervisord.terminate()
            self.supervisord.wait(60)
            self.supervisord = None


def packed(files):
    """A tarball of these: a name, and text or bytes; all of it can be run."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as tar:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(memory.getvalue(), 1, mtime=0)


def tarball(script):
    return packed({"install.sh": f"#!/bin/sh\n{script}\n"})


def hosted_app(program):
    """An app whose program is this script, kept up by supervisord."""
    return packed({
        "install.sh": "#!/bin/sh\ntrue\n",
        "run.sh": f"#!/bin/sh\n{program}\n",
        "supervisor.conf": "[supervisord]\ncommand = ./run.sh\nstartsecs = 1\nstartretries = 0\n",
    })


def other_agent(gwe, version):
    """The agent with another version of the same length in it."""
    built = subprocess.run([gwe, "--version"], capture_output=True, text=True, timeout=COMMAND_LIMIT, check=True).stdout.strip()
    if len(built) != len(version):
        sys.exit(f"{version} is not as long as {built}")
    stripped = shutil.which("strip") and subprocess.run(["strip", "-o", "/dev/stdout", gwe], capture_output=True, timeout=COMMAND_LIMIT).stdout
    return (stripped or gwe.read_bytes()).replace(built.encode(), version.encode())


MARK = "echo $GWE_APP_NAME >> $GWE_ROOT/marks"


def expect(what, is_so):
    print(f"  {'ok' if is_so else 'NOT SO'}: {what}")
    if not is_so:
        sys.exit(1)


def wait_for(what, is_so, limit=120):
    for _ in range(limit * 5):
        if is_so():
            return expect(what, True)
        time.sleep(0.2)
    return expect(what, False)
