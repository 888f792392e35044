"""What the stories of every server share: the agent with a root of its own, its tarballs, and the judge of what is so."""

import io
import os
import subprocess
import sys
import tarfile
import time

COMMAND_LIMIT = 300
PRODUCT = "product-1"


class Gateway:
    """The agent with a root of its own."""

    def __init__(self, gwe, server, folder, name, token, kind="target"):
        self.gwe, self.name, self.root = gwe, name, folder / name.replace(":", "-")
        self.run("--set-backend", "ddi", "--set-ddi-url", server.url, "--set-ddi-id", name, "--set-ddi-token", token)
        self.run("--set-ddi-token-kind", kind, "--set-product-id", PRODUCT)

    def run(self, *arguments):
        environment = dict(os.environ, GWE_ROOT=str(self.root))
        done = subprocess.run([self.gwe, *arguments], env=environment, capture_output=True, text=True, timeout=COMMAND_LIMIT)
        return done.returncode

    def check_in(self):
        return self.run("--once")

    def marks(self):
        path = self.root / "marks"
        return path.read_text().split() if path.exists() else []


def tarball(script):
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        text = f"#!/bin/sh\n{script}\n".encode()
        member = tarfile.TarInfo("install.sh")
        member.size, member.mode = len(text), 0o755
        tar.addfile(member, io.BytesIO(text))
    return memory.getvalue()


MARK = "echo $GWE_APP_NAME >> $GWE_ROOT/marks"


def expect(what, is_so):
    print(f"  {'ok' if is_so else 'NOT SO'}: {what}")
    if not is_so:
        sys.exit(1)


def wait_for(what, is_so, limit=120):
    for _ in range(limit):
        if is_so():
            return expect(what, True)
        time.sleep(1)
    return expect(what, False)
