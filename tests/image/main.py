#!/usr/bin/env python3
"""make image-test: a whole image boots in QEMU and lives through what a gateway lives through.

First boot with a blank data disk: activation, reports, the factory's apps. Then cycle after cycle an update over the air, and the power
cut at a random moment: while it boots, downloads, installs or runs. Each time it has to come back with all apps, and at the end nothing
that was acknowledged may be missing at the platform. Last, a factory reset. Prints what it saw; exits 1 at the first thing that is wrong.
"""

import argparse
import json
import pathlib
import random
import re
import shutil
import sys
import time

import rootfs
from cloud import Cloud
from machine import MAC, Machine, folder_size

HERE = pathlib.Path(__file__).resolve().parent
PRODUCT = "p0imagetest"
SERIAL = MAC.upper()
UPDATE_INTERVAL = 2

# Until a gateway has to be back with all its apps, in seconds: under emulation, on a machine that does other things too.
PATIENCE = 240

# How long a new version has to run before it counts as installed, in seconds: shorter than the default, to get through more cycles.
SETTLE = 3

# The latest moment of a power cut: in a boot, and after an update was sent.
IN_BOOT = 12.0
IN_UPDATE = 10.0

FACTORY = ("recorder", "hello", "library")


class Test:
    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(options.folder).resolve()
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        self.work = self.folder / "run"
        self.work.mkdir(parents=True)
        self.random = random.Random(options.seed)
        self.started = time.monotonic()

    def say(self, text):
        print(f"{time.monotonic() - self.started:6.1f} s  {text}", flush=True)

    def check(self, fact, otherwise):
        if not fact:
            raise AssertionError(otherwise)

    def prepare(self):
        self.cloud = Cloud(self.options.murano, self.work / "cloud", PRODUCT)
        apps = self.work / "apps"
        apps.mkdir()
        # 1, 2, 3: the order of their names is the order in which they are installed.
        self.factory = [rootfs.pack_app(HERE / "apps" / name, f"{number}_{name}", "1", apps) for number, name in enumerate(FACTORY, 1)]
        settings = [f"BINARY={pathlib.Path(self.options.binary).resolve()}", f"CACERT={self.cloud.ca}", f"UPDATE_INTERVAL={UPDATE_INTERVAL}", "ACTIVATION_RETRY_INTERVAL=2",
                    "DATA=/dev/vdb", "DOCS=no", f"APPS={' '.join(map(str, self.factory))}"]
        image = rootfs.build(self.work / "image", self.folder / "packages", settings, PRODUCT, f"\n[install]\nsettle = {SETTLE}\n")
        apps_size = sum(tarball.stat().st_size for tarball in self.factory)
        installed, files = folder_size(image["installed"])
        binary = pathlib.Path(image["installed"], "usr/bin/gwe").stat().st_size
        self.say(f"image built: make install puts {files} files, {installed - apps_size:,} bytes into it ({binary:,} are the program); "
                 f"squashfs of everything {image['root'].stat().st_size:,} bytes")
        self.machine = Machine(image, self.work, self.cloud.tls_port)
        self.cloud.do("product", "device", "add", SERIAL)

    def wait_for(self, what, probe, patience=PATIENCE):
        """Waits until a probe answers with something; returns it."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.machine.process.poll() is not None:
                raise AssertionError(f"QEMU ended while waiting: {what}")
            found = probe()
            if found:
                return found
            time.sleep(0.25)
        try:
            status = self.machine.run("gwe --status; supervisorctl status; cat /proc/mounts; tail -n 30 /var/log/gwe.log; cat /var/log/supervise.log")[1]
        except AssertionError as error:
            status = f"{error}\n{self.machine.console.read_text(errors='replace')[-3000:]}"
        raise AssertionError(f"after {patience} s not: {what}\n{status}")

    def apps(self, report):
        """{name: (version, status)} of an engine_report."""
        return {name: (facts.get("version"), facts.get("status")) for app in json.loads(report[1])["apps"] for name, facts in app.items()}

    def wait_for_apps(self, wanted, since):
        """Waits for a report, later than `since` points, in which each app has the wanted version and runs."""
        def probe():
            for report in self.cloud.points(SERIAL, "engine_report")[since:]:
                apps = self.apps(report)
                if all(apps.get(name, (None, None))[0] == version and apps[name][1] == status for name, (version, status) in wanted.items()):
                    return apps
            return None
        return self.wait_for(f"a report with {wanted}", probe)

    def wanted(self, hello):
        """What has to be reported with `hello` at one version. A library is no process."""
        return {"1_recorder": ("1", "RUNNING"), "2_hello": (hello, "RUNNING"), "3_library": ("1", "INSTALLED")}

    def reports(self):
        return len(self.cloud.points(SERIAL, "engine_report"))

    def first_boot(self):
        self.machine.power_on()
        self.wait_for("the first of the factory's apps", lambda: "recorder" in self.machine.run("cat /var/lib/gwe/test-installs")[1])
        # Each has to prove itself for some seconds: no better moment.
        moment = self.random.uniform(0, 8)
        time.sleep(moment)
        begun = self.machine.run("cat /var/lib/gwe/test-installs")[1].split()[::2]
        self.machine.cut_power()
        self.say(f"first boot, blank data disk: formatted, and the factory's apps are being installed; power cut after {', '.join(begun)}")
        began = time.monotonic()
        self.machine.power_on()
        self.wait_for("activation", lambda: self.cloud.cik(SERIAL))
        self.say(f"second boot: activated {time.monotonic() - began:.0f} s after power-on")
        self.wait_for_apps(self.wanted("1"), 0)
        self.say("all three factory apps are reported, two of them RUNNING")
        done = self.machine.run("cat /var/lib/gwe/test-installs")[1]
        order = list(dict.fromkeys(re.findall(r"^[a-z.0-9]+", done, re.M)))
        self.check(len(done.splitlines()) <= len(FACTORY) + 1, f"more than the one that the power cut hit was installed twice: {done}")
        self.check(order == ["recorder", "hello.1", "library"], f"the factory's apps were installed in this order: {order}")
        info = json.loads(self.cloud.points(SERIAL, "device_info")[-1][1])
        self.check("Linux" in info["uname"] and "10.0.2.15" in json.dumps(info["ipaddrs"]), f"device_info: {info}")
        self.check(self.cloud.points(SERIAL, "usage_report"), "no usage_report")
        self.say(f"reports are there: uname {info['uname'].split()[2]}, {info['ipaddrs']}")

    def look_inside(self):
        def status():
            output = self.machine.run("supervisorctl status")[1]
            return output if all(re.search(rf"^{name} +RUNNING", output, re.M) for name in ("gwe", "gmq", "1_recorder", "2_hello")) else None
        output = self.wait_for("supervisorctl to show everything as RUNNING", status)
        self.say("plain supervisorctl status, on the gateway:\n" + "".join(f"            {line}\n" for line in output.splitlines()).rstrip("\n"))
        mounts = self.machine.run("cat /proc/mounts")[1]
        self.check(re.search(r" / squashfs ro,", mounts) and re.search(r"/dev/vdb /var/lib/gwe ext4 rw,", mounts), mounts)
        self.check(self.machine.run("touch /usr/written")[0] != 0, "the root is writable")
        self.say("the root is a squashfs, read-only; /var/lib/gwe is ext4 on the second disk, formatted at first boot")
        # The host's own address in this network, and one beyond it, where something does listen.
        probe = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
        for address in ("10.0.2.2", "10.0.2.3", "192.0.2.1"):
            status, output = self.machine.run(f"python3 -c '{probe}' {address} {self.cloud.tls_port} 2>&1 | tail -n 1")
            self.check(re.search("timed out|unreachable|refused", output), f"{address} answers: {output}")
        self.say("nothing but the one server can be reached from it")
        pss = "for pid in $(cat /run/supervisord.pid) $(supervisorctl pid gwe) $(supervisorctl pid gmq); do echo $(tr '\\0' ' ' </proc/$pid/cmdline) $(grep ^Pss: /proc/$pid/smaps_rollup); done"
        used = self.machine.run(f"{pss}; df -k /var/lib/gwe | tail -n 1")[1]
        self.say("in use, memory and data disk:\n" + "".join(f"            {line}\n" for line in used.splitlines()).rstrip("\n"))

    def cycle(self, number):
        """An update, a power cut at a random moment, sometimes a second one while it boots, and the way back."""
        version = str(number + 1)
        since = self.reports()
        self.cloud.deploy(SERIAL, rootfs.pack_app(HERE / "apps/hello", "2_hello", version, self.work / "apps"))
        moment = self.random.uniform(0, IN_UPDATE)
        time.sleep(moment)
        self.machine.cut_power()
        cuts = [f"{moment:.1f} s after the update was sent"]
        if self.random.random() < 0.4:
            self.machine.power_on()
            moment = self.random.uniform(0.5, IN_BOOT)
            time.sleep(moment)
            self.machine.cut_power()
            cuts.append(f"{moment:.1f} s into the next boot")
        since = self.reports()
        began = time.monotonic()
        self.machine.power_on()
        self.wait_for_apps(self.wanted(version), since)
        wanted = f"installed 2_hello v{version} "
        self.wait_for("the final report", lambda: any(wanted in value for _, value, _ in self.cloud.points(SERIAL, "fetch_status")))
        self.say(f"cycle {number:2}: power cut {' and '.join(cuts)}; {time.monotonic() - began:.0f} s after power-on all apps are back, 2_hello at v{version}")

    def settle(self):
        """Everything that the app was told is safe has to be at the platform."""
        acknowledged = self.machine.points_acknowledged()
        self.check(len(acknowledged) > 3 * self.options.kills, f"only {len(acknowledged)} points were acknowledged")

        def arrived():
            there = {value: at for at, value, _ in self.cloud.points(SERIAL, "points")}
            return there if acknowledged.keys() <= there.keys() else None
        there = self.wait_for("every acknowledged point at the platform", arrived)
        moved = [value for value, at in acknowledged.items() if int(there[value]) != at]
        self.say(f"{len(acknowledged)} points were acknowledged on the gateway in {self.machine.boots} boots, and none is missing at the platform"
                 + (f"; {len(moved)} came with another time than the app gave them" if moved else ""))

    def factory_reset(self):
        before = self.cloud.cik(SERIAL)
        self.machine.run("touch /var/lib/gwe/factory-reset; cat /proc/sys/kernel/random/boot_id >/tmp/boot")
        self.cloud.do("product", "device", "revoke", SERIAL)
        since = self.reports()
        self.machine.run("reboot")
        self.wait_for("another activation", lambda: self.cloud.cik(SERIAL) not in (None, before))
        self.wait_for_apps(self.wanted("1"), since)
        self.check(self.machine.run("ls /var/lib/gwe/factory-reset")[0] != 0, "the reset would come again")
        installs = self.machine.run("cat /var/lib/gwe/test-installs")[1]
        self.check(len(re.findall(r"^[a-z.0-9]+ \d+", installs, re.M)) == 3, installs)
        self.say("factory reset: activated again with another CIK, and the factory's apps are back at v1")

    def run(self):
        self.prepare()
        try:
            self.first_boot()
            self.look_inside()
            for number in range(1, self.options.kills + 1):
                self.cycle(number)
            self.settle()
            self.factory_reset()
        except AssertionError as error:
            self.say(f"FAILED: {error}")
            self.say(f"console, journal and disks are in {self.work}; the same moments again with --seed {self.options.seed}")
            return 1
        finally:
            self.machine.cut_power()
            self.cloud.close()
        self.say(f"passed: {self.options.kills} cycles, {self.machine.boots} power-ons")
        return 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", required=True, help="the agent, as it goes into the image")
    arguments.add_argument("--murano", required=True, help="the local server")
    arguments.add_argument("--folder", required=True, help="where the image is built and the packages stay")
    arguments.add_argument("--kills", type=int, default=10, help="how often the power is cut")
    arguments.add_argument("--seed", type=int, default=int(time.time()), help="the moments of the power cuts")
    options = arguments.parse_args()
    for tool in ("qemu-system-x86_64", "mksquashfs", "busybox", "cpio", "apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            print(f"skipped: needs {tool}")
            return 0
    print(f"image test: {options.kills} power cuts, seed {options.seed}")
    return Test(options).run()


if __name__ == "__main__":
    sys.exit(main())
