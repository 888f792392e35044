"""The gateway: QEMU without any acceleration, its network, its consoles, and its end by SIGKILL."""

import re
import socket
import subprocess
import time

from witness import Witness

MAC = "52:54:00:12:34:56"

# How long a command on the gateway's shell may take, in seconds; emulation is slow and machines are busy.
PATIENCE = 60


class Machine:
    """One gateway with its disks, which outlive each of its runs."""

    def __init__(self, architecture, image, folder, port):
        self.architecture = architecture
        self.image = image
        self.folder = folder
        self.port = port
        self.data = folder / "data.img"
        self.process = None
        self.shell = None
        self.boots = 0
        self.console = folder / "console.log"
        self.console.write_bytes(b"")
        self.witness = Witness(folder / "witness.log")
        self.powered_on = 0.0
        self.blank()

    def blank(self):
        """A data disk as it comes from the factory: nothing on it."""
        with self.data.open("wb") as disk:
            disk.truncate(64 * 1024 * 1024)

    def power_on(self):
        self.boots += 1
        self.powered_on = time.monotonic()
        control = self.folder / "shell.sock"
        control.unlink(missing_ok=True)
        # The user network forwards one address and, restricted, nothing else: neither the host nor what lies behind it.
        network = f"user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:443-cmd:busybox nc 127.0.0.1 {self.port}"
        self.process = subprocess.Popen([
            # It ends with the test, however that ends.
            "setpriv", "--pdeathsig", "KILL", "--",
            self.architecture.emulator, "-nodefaults", "-no-user-config", "-display", "none", *self.architecture.machine,
            "-kernel", str(self.image["kernel"]), "-initrd", str(self.image["initrd"]),
            "-append", f"console={self.architecture.console} quiet panic=1 mitigations=off",
            "-drive", f"file={self.image['root']},if=none,id=root,format=raw,readonly=on", "-device", "virtio-blk-pci,drive=root",
            "-drive", f"file={self.data},if=none,id=data,format=raw", "-device", "virtio-blk-pci,drive=data",
            "-netdev", network, "-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile=",
            "-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=shell,path={control},server=on,wait=off", "-device", "virtconsole,chardev=shell",
            "-chardev", f"file,id=witness,path={self.witness.path},append=on", "-device", "virtconsole,chardev=witness",
        ], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(self.folder / "qemu.log").open("ab"))
        end = time.monotonic() + 10
        while not control.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"QEMU did not start: {(self.folder / 'qemu.log').read_text()}")
            time.sleep(0.05)
        self.shell = socket.socket(socket.AF_UNIX)
        self.shell.connect(str(control))
        self.shell.settimeout(1)

    def cut_power(self):
        """SIGKILL: the guest's memory, and with it what it had not written, is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.shell.close()
            self.process = None

    def wait_for_power_off(self):
        """After an orderly shutdown, which ends QEMU; returns whether it came."""
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return False
        self.cut_power()
        return True

    def run(self, command):
        """Runs a command on the gateway's shell; returns (exit status, output). The gateway has booted, or soon will have."""
        marker = f"done-{time.monotonic_ns()}"
        # The first line end finishes what a port that was being set up made of earlier characters.
        line = f"\n{{ {command} ; }} </dev/null ; echo {marker} $?\n".encode()
        received = ""
        end = time.monotonic() + PATIENCE
        asked = 0.0
        while time.monotonic() < end:
            # A port that is not set up yet drops what is typed.
            if not received and time.monotonic() - asked > 15:
                self.shell.sendall(line)
                asked = time.monotonic()
            try:
                received += self.shell.recv(65536).decode(errors="replace")
            except TimeoutError:
                continue
            found = re.search(rf"^{marker} (\d+)$", received, re.M)
            if found:
                return int(found[1]), received[: found.start()]
        raise AssertionError(f"the gateway's shell did not answer within {PATIENCE} s: {command}\n{received}")
