#!/usr/bin/env python3
"""make image-test: a whole image boots in QEMU and lives through what a gateway lives through.

First boot with a blank data disk, the power cut in the middle of it: activation, reports, the factory's apps. Then cycle after cycle an
update over the air, and the power cut at a random moment: while it downloads, installs, runs or boots again. Each time the gateway has to
come back with all apps, and at the end nothing that was acknowledged may be missing at the platform. Then the agent's own update, with a cut
in it, and its way back: a factory reset, with a power cut in the middle of it too. There is no Python in the image. Prints a protocol of what it saw, and a verdict; exits 1 at the first thing that is wrong.
"""

import argparse
import json
import pathlib
import random
import re
import shutil
import signal
import sys
import time
import traceback

import rootfs
import sizes
from architecture import ARCHITECTURES
from cloud import Cloud
from machine import MAC, Machine

HERE = pathlib.Path(__file__).resolve().parent
PRODUCT = "p0imagetest"
SERIAL = MAC.upper()
UPDATE_INTERVAL = 2

# Until a gateway has to be back with all its apps, in seconds: under emulation, on a machine that does other things too.
PATIENCE = 400

# How long a new version has to run before it counts as installed, in seconds: shorter than the default, to get through more cycles.
SETTLE = 3

# The latest moment of a power cut, in seconds: in a boot, after an update was sent, and after the first install.sh or a reset began.
IN_BOOT = 12.0
IN_UPDATE = 10.0
IN_FIRST_BOOT = 8.0
IN_RESET = 3.0

# How many of the updates see a second power cut while the gateway boots again.
SECOND_CUT = 0.4

# So many cycles there are, however slow the machine is.
FEWEST_CYCLES = 3

# A boot that a power cut ended before the platform told the time leaves points whose time is not known to be right: gmq puts the last of
# them where the next boot began. At most so many seconds later.
MOST_MOVED = 60

# Characters of the console that a failure shows.
CONSOLE_TAIL = 3000

# What an image may have beyond kernel, BusyBox, C library, OpenSSL and what formats a blank disk, in bytes; and what may be resident of ours while
# nothing is to be done, in kB.
MOST_FILES = 2_000_000
MOST_MEMORY = 200
GIVEN = {"BusyBox", "C library", "OpenSSL", "e2fsprogs"}

TOOLS = ("mksquashfs", "busybox", "cpio", "apt-get", "apt-cache", "dpkg-deb", "setpriv")

CORE = "/usr/libexec/gwe/hosting-core"

FACTORY = ("recorder", "hello", "library")


def megabytes(file):
    return f"{file.stat().st_size / 1e6:.1f} MB"


class Test:
    def __init__(self, options, packages):
        self.options = options
        self.architecture = ARCHITECTURES[options.arch]
        self.packages = packages
        self.binary = pathlib.Path(options.binary).resolve()
        self.folder = pathlib.Path(options.folder).resolve()
        self.work = self.folder / "run"
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.random = random.Random(options.seed)
        self.started = time.monotonic()
        self.cloud = None
        self.machine = None
        self.passed = 0
        self.cuts = 0
        self.recoveries = []

    def say(self, text, more=()):
        print(f"{time.monotonic() - self.started:6.1f} s      {text}", *(f"{'':15}{line}" for line in more), sep="\n", flush=True)

    def check(self, fact, seen, otherwise=None):
        """Something that has to be so: counted, and told in the protocol."""
        if not fact:
            raise AssertionError(f"not so: {seen}" + (f"\n{otherwise}" if otherwise else ""))
        self.passed += 1
        print(f"{time.monotonic() - self.started:6.1f} s  ok  {seen}", flush=True)

    def prepare(self):
        apps = self.work / "apps"
        apps.mkdir()
        # 1, 2, 3: the order of their names is the order in which they are installed.
        factory = [rootfs.pack_app(HERE / "apps" / name, f"{number}_{name}", "1", apps) for number, name in enumerate(FACTORY, 1)]
        self.say("make install puts into an image, in bytes:", sizes.table(self.work, self.binary))
        self.cloud = Cloud(self.options.murano, self.work / "cloud", PRODUCT)
        settings = [f"BINARY={self.binary}", f"CACERT={self.cloud.ca}", f"UPDATE_INTERVAL={UPDATE_INTERVAL}", "ACTIVATION_RETRY_INTERVAL=2",
                    "DATA=/dev/vdb", "DOCS=no", f"APPS={' '.join(map(str, factory))}"]
        image = rootfs.build(self.work / "image", self.architecture, self.packages, settings, PRODUCT, f"\n[install]\nsettle = {SETTLE}\n")
        files = sizes.of_root(self.work, image["tree"], self.binary)
        self.say(f"image built: squashfs of {megabytes(image['root'])}; kernel {image['kernel'].name}, initial RAM disk of {megabytes(image['initrd'])}; "
                 "the root's files, in bytes:", [f"{group:16}{size:>12,}" for group, size in files.items()])
        beyond = sum(size for group, size in files.items() if group not in GIVEN)
        self.check(0 < beyond <= MOST_FILES, f"beyond {', '.join(sorted(GIVEN))} the root has {beyond:,} bytes, of {MOST_FILES:,} that it may")
        self.check(not [path for path in image["tree"].rglob("*") if "python" in path.name.lower()], "there is no Python in it")
        self.machine = Machine(self.architecture, image, self.work, self.cloud.tls_port)
        self.cloud.do("product", "device", "add", SERIAL)

    def power_on(self):
        """Returns where in the witness's words this run begins."""
        since = self.machine.witness.size()
        self.machine.power_on()
        return since

    def cut_power(self):
        self.machine.cut_power()
        self.cuts += 1

    def since_power_on(self):
        return time.monotonic() - self.machine.powered_on

    def wait_for(self, what, probe):
        """Waits until a probe answers with something; returns it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.machine.process.poll() is not None:
                raise AssertionError(f"QEMU ended while waiting: {what}")
            found = probe()
            if found:
                return found
            time.sleep(0.25)
        raise AssertionError(f"after {PATIENCE} s not: {what}")

    def look_at_failure(self):
        """What a person needs who has to find out why."""
        parts = []
        if self.machine and self.machine.process and self.machine.process.poll() is None:
            try:
                parts.append(self.machine.run("gwe --status; supervisorctl status; cat /proc/mounts; tail -n 30 /var/log/gwe.log; cat /var/log/supervise.log")[1])
            except (AssertionError, OSError) as error:
                parts.append(str(error))
        if self.machine:
            parts.append("console:\n" + self.machine.console.read_text(errors="replace")[-CONSOLE_TAIL:])
        if self.cloud:
            for alias in ("engine_fetch", "fetch_status", "engine_report"):
                parts.append(f"platform, {alias}: {self.cloud.points(SERIAL, alias)[-2:]}")
        return "\n".join(parts)

    def apps(self, report):
        """{name: (version, status)} of an engine_report."""
        return {name: (facts.get("version"), facts.get("status")) for app in json.loads(report[1])["apps"] for name, facts in app.items()}

    def wait_for_apps(self, hello, since):
        """Waits for a report, later than `since` points, in which each app has the wanted version and runs. A library is no process."""
        wanted = {"1_recorder": ("1", "RUNNING"), "2_hello": (hello, "RUNNING"), "3_library": ("1", "INSTALLED")}

        def probe():
            return any(wanted.items() <= self.apps(report).items() for report in self.cloud.points(SERIAL, "engine_report")[since:])
        self.wait_for(f"a report with {wanted}", probe)

    def reports(self):
        return len(self.cloud.points(SERIAL, "engine_report"))

    def check_factory_installs(self, since, cuts):
        """In their order, each once, but for the one that a power cut hit."""
        installs = self.machine.witness.installs(since)
        begun = self.machine.witness.begun(since)
        order = list(dict.fromkeys(begun))
        self.check(order == [f"{name}.1" for name in FACTORY] and len(begun) <= len(FACTORY) + cuts,
                   f"the factory's apps were installed in the order of their names, and none again but what a power cut hit: {', '.join(begun)}",
                   f"begun {begun}, ended {installs}")

    def first_boot(self):
        since = self.power_on()
        self.wait_for("the first of the factory's apps", lambda: self.machine.witness.begun(since))
        time.sleep(self.random.uniform(0, IN_FIRST_BOOT))
        self.cut_power()
        self.say(f"first boot, blank data disk: formatted, and the factory's apps are being installed; power cut after {', '.join(self.machine.witness.begun(since))}")
        self.power_on()
        self.wait_for_apps("1", 0)
        self.check(True, f"all three factory apps are there {self.since_power_on():.0f} s after the second power-on, two of them RUNNING, the library INSTALLED")
        self.check_factory_installs(since, 1)
        self.check(self.cloud.cik(SERIAL), "activated: the platform has given a CIK")
        info = json.loads(self.cloud.points(SERIAL, "device_info")[-1][1])
        self.check("Linux" in info["uname"] and "10.0.2.15" in json.dumps(info["ipaddrs"]), f"device_info is there: kernel {info['uname'].split()[2]}, addresses {info['ipaddrs']}", info)
        self.check(self.cloud.points(SERIAL, "usage_report"), "usage_report is there")

    def look_inside(self):
        def status():
            output = self.machine.run("supervisorctl status")[1]
            return output if all(re.search(rf"^{name} +RUNNING", output, re.M) for name in ("gwe", "gmq", "1_recorder", "2_hello")) else None
        output = self.wait_for("supervisorctl to show everything as RUNNING", status)
        self.check(True, "plain supervisorctl status, on the gateway, shows everything as RUNNING")
        self.say("it says:", output.splitlines())
        mounts = self.machine.run("cat /proc/mounts")[1]
        self.check(re.search(r" / squashfs ro,", mounts) and re.search(r"/dev/vdb /var/lib/gwe ext4 rw,", mounts) and self.machine.run("touch /usr/written")[0] != 0,
                   "the root is a squashfs and cannot be written to; /var/lib/gwe is ext4 on the second disk, formatted at first boot", mounts)
        self.look_at_the_network()
        self.renew_the_core(output)
        self.measure_idle()

    def measure_idle(self):
        """Memory while nothing is to be done: the agent and the queue sleep then."""
        self.machine.run("gwe --set-update-interval 3600; supervisorctl restart gwe; supervisorctl stop 1_recorder")
        sleeps = "for name in gwe gmq; do readlink /proc/$(supervisorctl pid $name)/exe; done"
        self.wait_for("the agent and the queue to sleep", lambda: self.machine.run(sleeps)[1].count("memfd:") == 2)
        pss = ("for pid in $(cat /var/run/gwe-supervise.pid) $(cat /run/supervisord.pid) $(supervisorctl pid gwe) $(supervisorctl pid gmq); do "
               "echo $(tr '\\0' ' ' </proc/$pid/cmdline)Pss: $(sed -n 's/^Pss: *//p' /proc/$pid/smaps_rollup); done")
        lines = self.machine.run(pss)[1].splitlines()
        total = sum(int(found[1]) for line in lines if (found := re.search(r"Pss: (\d+) kB", line)))
        self.check(len(lines) == 4 and 0 < total <= MOST_MEMORY, f"idle, all of ours that is resident takes {total} kB of memory (PSS), of {MOST_MEMORY} that it may:", lines)
        memory = "grep -E '^(MemTotal|MemAvailable)' /proc/meminfo; df -k /var/lib/gwe | tail -n 1"
        self.say("each of them, the machine's memory, and the data disk:", [*lines, *self.machine.run(memory)[1].splitlines()])
        since = self.reports()
        self.machine.run(f"gwe --set-update-interval {UPDATE_INTERVAL}; supervisorctl start 1_recorder; supervisorctl restart gwe")
        self.wait_for_apps("1", since)

    def look_at_the_network(self):
        """The host in this network, its name server, and an address beyond it; the platform is what can be reached."""
        def reaches(address, port):
            return self.machine.run(f"nc -w 3 {address} {port} -e true")[0] == 0
        self.check(reaches("10.0.2.100", 443), "the platform can be reached from it")
        addresses = ("10.0.2.2", "10.0.2.3", "192.0.2.1")
        reached = [address for address in addresses if reaches(address, self.cloud.tls_port)]
        self.check(not reached, f"none of {', '.join(addresses)} can", reached)

    def renew_the_core(self, before):
        """What a newer core in the place of the old one does: it takes over, and no application notices."""
        def pids(status):
            return sorted(re.findall(r"^(\S+) +RUNNING +pid (\d+)", status, re.M))
        self.machine.run("kill -USR1 $(cat /run/supervisord.pid)")
        self.wait_for("the core to go on", lambda: "goes on with all that was there" in self.machine.run("cat /var/log/supervisord.log")[1])
        after = self.machine.run("supervisorctl status")[1]
        self.check(pids(after) == pids(before), "the core was renewed, and every application is the same process", f"{before}\n{after}")

    def core_in_charge(self):
        return self.machine.run("readlink /proc/$(cat /run/supervisord.pid)/exe")[1].strip()

    def was_told(self, text):
        """Whether a `fetch_status` has had this."""
        return any(text in value for _, value, _ in self.cloud.points(SERIAL, "fetch_status"))

    def stage_of_update(self, version):
        """How far an update came, by what has left the gateway."""
        if self.was_told(f"installed 2_hello v{version} "):
            return f"v{version} installed and reported"
        if f"hello.{version}" in self.machine.witness.installs():
            return f"v{version} settling"
        if f"hello.{version}" in self.machine.witness.begun():
            return f"in v{version}'s install.sh"
        if "download" in self.cloud.requested():
            return f"v{version} downloading or unpacking"
        fetch = self.cloud.points(SERIAL, "engine_fetch")
        return "the order not yet taken" if fetch[-1][1] else "the order taken"

    def cycle(self, number):
        """An update, a power cut at a random moment, sometimes a second one while it boots, and the way back."""
        version = str(number + 1)
        tarball = rootfs.pack_app(HERE / "apps/hello", "2_hello", version, self.work / "apps")
        self.cloud.deploy(SERIAL, tarball)
        moment = self.random.uniform(0, IN_UPDATE)
        time.sleep(moment)
        self.cut_power()
        told = [f"power cut {moment:4.1f} s after v{version} was sent ({self.stage_of_update(version)})"]
        if self.random.random() < SECOND_CUT:
            since = self.power_on()
            moment = self.random.uniform(0.5, IN_BOOT)
            time.sleep(moment)
            self.cut_power()
            told.append(f"again {moment:.1f} s into the boot ({self.machine.witness.stage_of_boot(since)})")
        since = self.reports()
        self.power_on()
        wanted = f"installed 2_hello v{version} "
        # Two cuts while it settles speak against a version, whoever cut: it is given up, and comes back by order.
        given_up = f"rolled back 2_hello v{version} to v{number}: the gateway went down 2 times while it settled"
        self.wait_for("the final report", lambda: self.was_told(wanted) or len(told) == 2 and self.was_told(given_up))
        if not self.was_told(wanted):
            self.wait_for_apps(str(number), since)
            told.append(f"given up for v{number}, and ordered again with force")
            self.cloud.deploy(SERIAL, tarball, force=True)
            self.wait_for("the final report", lambda: self.was_told(wanted))
        self.wait_for_apps(version, since)
        self.recoveries.append(self.since_power_on())
        self.check(True, f"cycle {number:2}: {', '.join(told)}; all apps back {self.recoveries[-1]:.0f} s after power-on, 2_hello at v{version}; "
                         f"{len(self.machine.witness.acknowledged())} points acknowledged so far")

    def cycles(self):
        for number in range(1, self.options.kills + 1):
            if len(self.recoveries) >= FEWEST_CYCLES and time.monotonic() - self.started > self.options.within:
                self.say(f"{len(self.recoveries)} of {self.options.kills} cycles: the {self.options.within} s for them are over, on this machine")
                return
            self.cycle(number)

    def compare_points(self):
        """Everything that the app was told is safe has to be at the platform. Returns how many that are."""
        acknowledged = self.machine.witness.acknowledged()
        self.check(len(acknowledged) > 3 * len(self.recoveries), f"the app on board was told of {len(acknowledged)} points that they are safe, in {self.machine.boots} boots")

        def missing():
            there = {value for _, value, _ in self.cloud.points(SERIAL, "points")}
            return acknowledged.keys() - there
        try:
            self.wait_for("every acknowledged point at the platform", lambda: not missing())
        except AssertionError as error:
            raise AssertionError(f"{error}\n{len(missing())} are missing: {sorted(missing())[:20]}") from error
        self.check(True, "none of them is missing at the platform")
        points = [(value, int(at)) for at, value, _ in self.cloud.points(SERIAL, "points") if value in acknowledged]
        moved = [at - acknowledged[value] for value, at in points if acknowledged[value] != at]
        self.check(all(0 < by <= MOST_MOVED for by in moved), f"{len(points) - len(moved)} have the time that the app gave them; {len(moved)}, of boots that ended before "
                   "the clock was known to be right, the latest that they can have been", moved)
        if len(points) > len(dict(points)):
            self.say(f"{len(points) - len(dict(points))} of them came more than once, with the same time")
        begun = self.machine.witness.begun()
        self.check(begun.count("recorder.1") <= 2 and begun.count("library.1") <= 2, "no boot installed the factory's apps again", begun)
        return len(acknowledged)

    def own_update(self):
        """The agent's, as a version of another number; what the factory reset below takes back."""
        old = rootfs.version()
        new = old[:-1] + str((int(old[-1]) + 1) % 10)
        tarball = rootfs.pack_agent(self.binary, old, new, self.work / "apps")
        self.cloud.deploy(SERIAL, tarball)
        moment = self.random.uniform(0, IN_UPDATE)
        time.sleep(moment)
        self.cut_power()
        self.power_on()
        self.wait_for("the agent's own update", lambda: self.was_told(f"installed gwe v{new} "))
        # It is on trial until a check-in of its own has ended.
        self.wait_for("that version to be the agent", lambda: self.machine.run("gwe --version")[1].strip() == new)
        self.check(True, f"the agent updated itself to v{new}, power cut {moment:.1f} s after it was sent, beside the image's own")
        self.wait_for("its core to host", lambda: self.core_in_charge().startswith("/var/lib/gwe/"))
        self.check(True, f"the core that came with it hosts: {self.core_in_charge()}")
        self.wait_for_apps(str(len(self.recoveries) + 1), self.reports())

    def factory_reset(self):
        before = self.cloud.cik(SERIAL)
        began = time.monotonic()
        self.machine.run("touch /var/lib/gwe/factory-reset; poweroff")
        self.check(self.machine.wait_for_power_off(), f"factory reset: asked for, and shut down in order within {time.monotonic() - began:.0f} s")
        self.cloud.do("product", "device", "revoke", SERIAL)
        reports = self.reports()
        since = self.power_on()
        self.wait_for("the boot of the reset", lambda: "BOOT" in self.machine.witness.text(since))
        moment = self.random.uniform(0, IN_RESET)
        time.sleep(moment)
        self.cut_power()
        self.say(f"power cut {moment:.1f} s after the init scripts began with it")
        self.power_on()
        self.wait_for_apps("1", reports)
        self.check(True, f"the factory's apps are back at v1, {self.since_power_on():.0f} s after power-on")
        self.check_factory_installs(since, 1)
        self.check(self.cloud.cik(SERIAL) not in (None, before), "activated again, with another CIK")
        left = self.machine.run("ls /var/lib/gwe/factory-reset /var/lib/gwe/apps/2_hello; cat /var/lib/gwe/supervisor.d/2_hello.conf")[1]
        self.check("factory-reset: No such file" in left, "the next boot resets nothing", left)
        self.check(self.machine.run("gwe --version")[1].strip() == rootfs.version(), "the image's own agent runs again")
        self.check(self.core_in_charge() == CORE, "and the image's own core hosts", self.core_in_charge())

    def run(self):
        lost = "not compared"
        try:
            self.prepare()
            self.first_boot()
            self.look_inside()
            self.cycles()
            lost = f"{self.compare_points()} acknowledged points, 0 lost"
            self.own_update()
            self.factory_reset()
        except Exception as error:
            self.say(f"FAILED: {error}")
            if not isinstance(error, AssertionError):
                traceback.print_exc(file=sys.stdout)
            print(self.look_at_failure())
            print(f"console, witness and disks are in {self.work}; the same moments again with SEED={self.options.seed}")
            print(f"image test: {self.passed} passed, 1 failed")
            return 1
        finally:
            if self.machine:
                self.machine.cut_power()
            if self.cloud:
                self.cloud.close()
        if self.recoveries:
            self.say(f"from power-on to a report with all apps: {min(self.recoveries):.0f} to {max(self.recoveries):.0f} s, under emulation")
        print(f"image test: {self.passed} passed, 0 failed ({self.cuts} power cuts, {self.machine.boots} power-ons, {lost})")
        return 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--arch", choices=sorted(ARCHITECTURES), default="x86_64", help="which machine")
    arguments.add_argument("--binary", required=True, help="the agent, as it goes into the image")
    arguments.add_argument("--murano", required=True, help="the local server")
    arguments.add_argument("--folder", required=True, help="where the image is built and the packages stay")
    arguments.add_argument("--kills", type=int, default=10, help="how many updates see a power cut")
    arguments.add_argument("--within", type=int, default=3600, help=f"no new cycle begins after so many seconds, {FEWEST_CYCLES} at the least")
    arguments.add_argument("--seed", type=int, default=int(time.time()), help="the moments of the power cuts")
    options = arguments.parse_args()
    # Whoever ends the test ends the gateway and the platform with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("image test: ended by SIGTERM"))
    architecture = ARCHITECTURES[options.arch]
    for tool in (architecture.emulator, *TOOLS):
        if not shutil.which(tool):
            print(f"skipped: image test of {options.arch} needs {tool}")
            return 0
    try:
        packages = rootfs.fetch_all(pathlib.Path(options.folder).resolve() / "packages", architecture)
    except rootfs.Unavailable as why:
        print(f"skipped: image test of {options.arch}: {why}")
        return 0
    print(f"image test of {options.arch}: {options.kills} updates with power cuts, seed {options.seed}")
    return Test(options, packages).run()


if __name__ == "__main__":
    sys.exit(main())
