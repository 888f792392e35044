"""A gateway in a scratch folder, and the local cloud that it talks to."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
MURANO = TOP / "tests/target/debug/murano"
PATIENCE = 30


class Scratch:
    """A folder on disk that is gone at the end, and a volatile one."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="gwe-measure-", dir=TOP / "target"))
        memory = Path("/dev/shm")
        self.volatile = Path(tempfile.mkdtemp(prefix="gwe-measure-", dir=memory if memory.is_dir() else None))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.rmtree(self.volatile, ignore_errors=True)


class Process:
    """A program that runs until the block ends."""

    def __init__(self, command, log, **options):
        self.command = command
        self.log = Path(log)
        self.options = options

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **self.options)
        self.pid = self.process.pid
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def text(self):
        return self.log.read_text(errors="replace")

    def is_running(self):
        return self.process.poll() is None


class Cloud(Process):
    """`murano serve --open`, with TLS beside plain HTTP."""

    def __init__(self, scratch):
        self.data = scratch.path / "cloud"
        command = [MURANO, "serve", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--open", "--for", "3600"]
        super().__init__([*command, "--data", self.data], scratch.path / "murano.log")

    def __enter__(self):
        super().__enter__()
        wait_for("the server's start", lambda: self.text().count("listening on") >= 2)
        urls = [line.split()[-1] for line in self.text().splitlines() if line.startswith("listening on")]
        self.url = next(url for url in urls if url.startswith("http://"))
        self.tls_url = next(url for url in urls if url.startswith("https://"))
        self.ca = self.data / "tls/ca.pem"
        return self

    def run(self, *arguments):
        done = subprocess.run([MURANO, *arguments], env={**os.environ, "MURANO_URL": self.url}, capture_output=True, text=True, timeout=PATIENCE * 10)
        if done.returncode != 0:
            raise RuntimeError(f"murano {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout


class Gateway:
    """The agent's files below a root; `run/` is volatile, as on a gateway."""

    def __init__(self, scratch, name, agent, server, options=""):
        self.agent = agent
        self.root = scratch.path / name
        self.serial = name
        shutil.rmtree(self.root, ignore_errors=True)
        factory = self.root / "etc/gwe"
        factory.mkdir(parents=True)
        volatile = scratch.volatile / name
        shutil.rmtree(volatile, ignore_errors=True)
        volatile.mkdir()
        (self.root / "run").symlink_to(volatile)
        (factory / "Gateway.cfg").write_text(f"[device]\nvendor = measured\nmodel = measured\nuuid = {name}\n")
        (factory / "Engine.config").write_text(f"[engine]\nserver = {server}\n{options}\n")
        self.environment = {"PATH": os.environ["PATH"], "GWE_ROOT": str(self.root)}
        # Libraries that lie beside the agent are its own: see memory.private_copy. Elsewhere the loader shall not look for any.
        if any(Path(agent).parent.glob("*.so*")):
            self.environment["LD_LIBRARY_PATH"] = str(Path(agent).parent)
        self.state = self.root / "var/lib/gwe"

    def once(self):
        """One check-in; an error where it did not complete."""
        done = subprocess.run([self.agent, "--once"], env=self.environment, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise RuntimeError(f"gwe --once: {done.returncode}\n{done.stderr}")


def wait_for(what, is_true):
    deadline = time.monotonic() + PATIENCE
    while not is_true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not happen within {PATIENCE} s")
        time.sleep(0.05)
