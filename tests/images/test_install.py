"""`make install`: what lands where for each init system, and whether the tools that will read it accept it."""

import base64
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import sandbox

EVERYWHERE = """
/etc/default/gwe
/etc/gwe/Engine.config
/etc/gwe/Gateway.cfg
/etc/gwe/gmq.cfg
/etc/gwe/logging.cfg
/etc/gwe/supervisor.d/gmq.conf
/etc/gwe/supervisor.d/gwe.conf
/etc/gwe/supervisord.conf
/usr/bin/gdc -> gwe
/usr/bin/gmq -> gwe
/usr/bin/gwe
/usr/libexec/gwe/prepare
/usr/libexec/gwe/supervise
/usr/share/gwe/gwe.spec
""".split("\n")[1:-1]

OF_INIT = {
    "none": [],
    "sysv": ["/etc/init.d/gwe"],
    "systemd": ["/usr/lib/systemd/system/gwe.service"],
}

OF_HOSTING = {
    "own": ["/etc/supervisord.conf -> gwe/supervisord.conf", "/usr/bin/supervisorctl -> gwe", "/usr/bin/supervisord -> gwe", "/usr/libexec/gwe/hosting-core"],
    "python": ["/usr/libexec/gwe/rescue"],
}

# Where the image has a supervisord of its own, that one's unit is not to run beside.
BESIDE = ["/usr/lib/systemd/system/supervisor.service.d/gwe.conf", "/usr/lib/systemd/system/supervisord.service.d/gwe.conf"]

# Folders that an image needs even though nothing is in them: mount point, drop-in folders.
EMPTY = ["/etc/gwe/trusted", "/usr/share/gwe/apps_to_install", "/var/lib/gwe"]

SCRIPTS = {"/usr/libexec/gwe/prepare", "/usr/libexec/gwe/rescue", "/usr/libexec/gwe/supervise", "/etc/init.d/gwe"}
PROGRAMS = SCRIPTS | {"/usr/bin/gwe", "/usr/libexec/gwe/hosting-core"}


class Installed(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="gwe-install-"))
        self.addCleanup(shutil.rmtree, self.scratch)
        self.binary = self.scratch / "stand-in"
        self.binary.write_text("#!/bin/sh\n")
        (self.scratch / "hosting-core").write_text("#!/bin/sh\n")

    def install(self, *settings):
        tree = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        sandbox.make_install(tree, f"BINARY={self.binary}", *settings)
        return tree

    def listing(self, tree):
        """Every file but the documents, as absolute paths, links with their targets."""
        found = []
        for path in tree.rglob("*"):
            name = "/" + str(path.relative_to(tree))
            if path.is_symlink():
                found.append(f"{name} -> {os.readlink(path)}")
            elif path.is_file() and not name.startswith(("/usr/share/doc/", "/usr/share/man/")):
                found.append(name)
        return sorted(found)

    def test_each_init_system_gets_what_it_needs_and_nothing_else(self):
        for init, hosting in itertools.product(OF_INIT, OF_HOSTING):
            with self.subTest(init=init, hosting=hosting):
                tree = self.install(f"INIT={init}", f"HOSTING={hosting}")
                beside = BESIDE if (init, hosting) == ("systemd", "python") else []
                self.assertEqual(self.listing(tree), sorted(EVERYWHERE + OF_INIT[init] + OF_HOSTING[hosting] + beside))
                for folder in EMPTY:
                    self.assertEqual(list((tree / folder[1:]).iterdir()), [], folder)
                for path in tree.rglob("*"):
                    name = "/" + str(path.relative_to(tree))
                    if path.is_symlink() or path.is_dir():
                        continue
                    self.assertEqual(path.stat().st_mode & 0o7777, 0o755 if name in PROGRAMS else 0o644, name)
                    self.assertNotRegex(path.read_text(), r"@[A-Z_]+@", f"{name} has a placeholder left")

    def test_another_init_system_is_refused(self):
        done = subprocess.run(["make", "-C", str(sandbox.REPOSITORY), "install", "INIT=upstart"], capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("must be sysv, systemd or none", done.stderr)

    def test_another_hosting_is_refused_and_so_is_own_without_its_core_or_beside_another(self):
        def refused(why, *settings):
            done = subprocess.run(["make", "-C", str(sandbox.REPOSITORY), "install", f"BINARY={self.binary}", *settings], capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0, why)
            self.assertIn(why, done.stderr)

        refused("must be own or python", f"DESTDIR={self.scratch}/a", "HOSTING=runit")
        refused("HOSTING=own needs hosting-core", f"DESTDIR={self.scratch}/b", f"CORE={self.scratch}/not-there")
        other = self.scratch / "c/usr/bin/supervisord"
        other.parent.mkdir(parents=True)
        other.write_text("another package's\n")
        refused("choose HOSTING=python", f"DESTDIR={self.scratch}/c")
        self.assertEqual(other.read_text(), "another package's\n")

    def test_the_man_pages_are_those_of_the_programs_that_are_there(self):
        ours = {"gwe.8", "gmq.8", "gdc.8"}
        for hosting, pages in (("own", ours | {"supervisord.8", "supervisorctl.8"}), ("python", ours)):
            folder = self.install(f"HOSTING={hosting}") / "usr/share/man/man8"
            self.assertEqual({page.name for page in folder.iterdir()}, pages, hosting)

    def test_what_is_python_is_only_there_for_pythons_hosting(self):
        tree = self.install("INIT=systemd")
        self.assertNotIn("rescue", (tree / "usr/lib/systemd/system/gwe.service").read_text())
        for path in tree.rglob("*"):
            if path.is_file() and not str(path).startswith(f"{tree}/usr/share/"):
                self.assertNotIn("python", path.read_text(), path)
        self.assertIn("\nExecStopPost=-/usr/libexec/gwe/rescue\n", (self.install("INIT=systemd", "HOSTING=python") / "usr/lib/systemd/system/gwe.service").read_text())

    def test_hawkbits_settings_are_written_where_one_is_set_and_for_nobody_else_to_read(self):
        tree = self.install()
        self.assertIn("\nbackend = device-api\n", (tree / "etc/gwe/Engine.config").read_text())
        tree = self.install("BACKEND=ddi", "DDI_URL=https://hawkbit.example/a|b", "DDI_TOKEN=se&cret", "DDI_TOKEN_KIND=gateway", "DDI_CONFIRM=auto")
        self.assertIn("\nbackend = ddi\n", (tree / "etc/gwe/Engine.config").read_text())
        path = tree / "etc/gwe/Gateway.cfg"
        self.assertEqual(path.read_text().split("\n\n")[1], "[ddi]\nurl = https://hawkbit.example/a|b\ntenant = DEFAULT\nid = <uuid>\ntoken = se&cret\n"
                         "token_kind = gateway\ninterval = ''\nconfirm = auto\n")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_installing_twice_is_the_same_as_once(self):
        tree = self.install("INIT=sysv")
        before = self.listing(tree)
        sandbox.make_install(tree, f"BINARY={self.binary}", "INIT=sysv")
        self.assertEqual(self.listing(tree), before)

    def test_the_factory_settings_reach_the_files_whatever_is_in_them(self):
        key, ca, app = (self.scratch / name for name in ("oem.pub", "roots.pem", "hello.v1.tar.gz"))
        for file in (key, ca, app):
            file.write_text(file.name)
        tree = self.install(
            "PRODUCT_ID=p&1", "SERVER=https://iot.example/a|b", "UPDATE_INTERVAL=900", "ACTIVATION_RETRY_INTERVAL=30",
            r"SERIAL=command:sed -n 's|\(.*\)|\1|p' /x".replace("'", '"'), "PUSH=yes", "LOG_LEVEL=DEBUG", "LOGDIR=/var/lib/gwe/log", "DATA=/dev/mmcblk0p4",
            f"CACERT={ca}", f"TRUSTED_KEYS={key}", f"APPS={app}")
        gateway = (tree / "etc/gwe/Gateway.cfg").read_text()
        self.assertEqual(gateway, "[device]\ncik = ''\nmodel = p&1\nvendor = p&1\nuuid = ''\niface = ''\n", "no second source of the serial number")
        engine = (tree / "etc/gwe/Engine.config").read_text()
        for line in ("server = https://iot.example/a|b", "cacert = /etc/gwe/cacert.pem", "update_interval = 900", "activation_retry_interval = 30",
                     "log_level = DEBUG", "push = yes", "fragments = /var/lib/gwe/supervisor.d", "logs = /var/lib/gwe/log"):
            self.assertIn(line + "\n", engine)
        environment = subprocess.run(["sh", "-c", f'. {tree}/etc/default/gwe; printf "%s\\n" "$GWE_DATA" "$GWE_SERIAL"'], capture_output=True, text=True).stdout
        self.assertEqual(environment, '/dev/mmcblk0p4\ncommand:sed -n "s|\\(.*\\)|\\1|p" /x\n')
        self.assertEqual((tree / "etc/gwe/cacert.pem").read_text(), "roots.pem")
        self.assertEqual((tree / "etc/gwe/trusted/oem.pub").read_text(), "oem.pub")
        self.assertEqual((tree / "usr/share/gwe/apps_to_install/hello.v1.tar.gz").read_text(), "hello.v1.tar.gz")
        for file in ("supervisord.conf", "supervisor.d/gwe.conf", "supervisor.d/gmq.conf"):
            self.assertIn("logfile = /var/lib/gwe/log/", (tree / "etc/gwe" / file).read_text())

    def test_what_stands_in_scripts_reaches_them_as_it_was_said_or_fails_the_build(self):
        for value in ("command:sed -n 's/^Serial.*: \\(.*\\)/\\1/p' /proc/cpuinfo", "command:printf '%s' \"$$x\" `y` 'z'", 'command:echo "a"', "LABEL=gwe"):
            tree = self.install(f"SERIAL={value}", f"DATA={value}")
            read = subprocess.run(["sh", "-c", f'. {tree}/etc/default/gwe; printf "%s\\n" "$GWE_DATA" "$GWE_SERIAL"'], capture_output=True, text=True)
            self.assertEqual((read.stdout, read.stderr), (2 * f"{value}\n".replace("$$", "$"), ""))
        for bad in ("LOGDIR=/var/lib/my logs", "LOGDIR=/var/$$x", "PREFIX=/opt/a b", "SUPERVISORD=/a;b", "SYSV_NAME=g we", "LOGDIR=/var/50%"):
            with self.assertRaises(Exception, msg=bad):
                self.install("INIT=sysv", bad)

    def test_without_a_key_no_image_is_made_that_requires_signatures(self):
        """docs/spec/failures.md, F9."""
        with self.assertRaises(Exception):
            self.install("REQUIRE_SIGNATURES=yes")
        with self.assertRaises(Exception):
            self.install("REQUIRE_SIGNATURES=perhaps")
        key = self.scratch / "oem.pub"
        key.write_text("key")
        tree = self.install("REQUIRE_SIGNATURES=yes", f"TRUSTED_KEYS={key}")
        self.assertIn("\n[install]\nrequire_signatures = yes\n", (tree / "etc/gwe/Engine.config").read_text())
        self.assertIn("\nrequire_signatures = no\n", (self.install() / "etc/gwe/Engine.config").read_text())

    def test_a_root_key_and_a_set_of_keys_go_into_the_image_and_the_root_is_enough(self):
        root, keys = self.scratch / "root.pub", self.scratch / "fleet.json"
        root.write_text("root")
        keys.write_text("set")
        self.assertFalse((self.install() / "etc/gwe/trusted-root").exists())
        with self.assertRaises(Exception):
            self.install("REQUIRE_SIGNATURES=yes", f"KEY_SET={keys}")
        tree = self.install("REQUIRE_SIGNATURES=yes", f"TRUSTED_ROOT_KEYS={root}")
        self.assertFalse((tree / "etc/gwe/keys.json").exists())
        tree = self.install("REQUIRE_SIGNATURES=yes", f"TRUSTED_ROOT_KEYS={root}", f"KEY_SET={keys}")
        self.assertEqual((tree / "etc/gwe/trusted-root/root.pub").read_text(), "root")
        self.assertEqual((tree / "etc/gwe/keys.json").read_text(), "set")

    def test_when_updates_are_installed_reaches_the_file_and_a_bad_word_fails(self):
        config = (self.install("APPLY=window", "WINDOW=23:00-01:30", "MAX_HOLD=600") / "etc/gwe/Engine.config").read_text()
        self.assertIn("\napply = window\nwindow = 23:00-01:30\nmax_hold = 600\n", config)
        self.assertIn("\napply = now\nwindow = 02:00-04:00\nmax_hold = 86400\n", (self.install() / "etc/gwe/Engine.config").read_text())
        with self.assertRaises(Exception):
            self.install("APPLY=later")

    def test_what_a_link_that_costs_is_used_for_is_written_only_where_it_is_said(self):
        """rauc-hawkbit-updater#209, hawkbit#652"""
        plain = self.install() / "etc/gwe"
        self.assertNotIn("[network]", (plain / "Engine.config").read_text())
        conf = self.install("MAX_RATE=64k", "NO_DOWNLOADS_ON=wwan* ppp0") / "etc/gwe"
        self.assertTrue((conf / "Engine.config").read_text().endswith(
            "\n\n[network]\nmax_rate = 64k\nmonthly_bytes = ''\nno_downloads_on = wwan* ppp0\n"))
        self.assertEqual(sorted(os.listdir(conf)), sorted(os.listdir(plain)))
        self.assertIn("\nmonthly_bytes = 50M\n", (self.install("MONTHLY_BYTES=50M") / "etc/gwe/Engine.config").read_text())

    @unittest.skipUnless(os.environ.get("GWE_BIN"), "skipped: needs GWE_BIN")
    def test_the_agent_itself_refuses_what_does_not_fit(self):
        """An image whose settings do not fit is not made: docs/images.md."""
        agent, keys, root = os.environ["GWE_BIN"], self.scratch / "keys.json", self.scratch / "root.pub"
        root.write_text("untrusted comment: key\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n")
        # Another number and another key; whether something was signed by it is not asked here.
        other = base64.b64encode(b"Ed" + bytes(range(40))).decode()
        keys.write_text(json.dumps({"version": 1, "keys": [{"name": "fleet", "key": other}]}))
        good = ("REQUIRE_SIGNATURES=yes", f"TRUSTED_ROOT_KEYS={root}", f"KEY_SET={keys}", "APPLY=window", "WINDOW=23:00-01:30", "MAX_HOLD=600",
                "MAX_RATE=64k", "MONTHLY_BYTES=50M", "NO_DOWNLOADS_ON=wwan* ppp0")
        self.install(f"CHECKER={agent}", *good)
        self.install(f"CHECKER={agent}", *good[:2])
        for bad in ("WINDOW=later", "MAX_HOLD=long", "MAX_RATE=fast", "MONTHLY_BYTES=1", "NO_DOWNLOADS_ON=wwan*0"):
            with self.assertRaises(Exception, msg=bad):
                self.install(f"CHECKER={agent}", *good, bad)
        # A root key of which nothing can be made is none.
        no_root = self.scratch / "no-root.pub"
        no_root.write_text("no key")
        with self.assertRaises(Exception):
            self.install(f"CHECKER={agent}", "REQUIRE_SIGNATURES=yes", f"TRUSTED_ROOT_KEYS={no_root}")
        keys.write_text('{"version": 1, "keys": [{"key": 1}]}')
        with self.assertRaises(Exception):
            self.install(f"CHECKER={agent}", *good)

    def test_who_checks_the_settings_decides_and_one_that_does_not_run_is_no_success(self):
        self.binary.write_text("no program of this machine")
        sees_all = self.stand_in("checker", '[ "$1" = --version ] || { [ "$1 $3" = "--root --check-config" ] && test -f "$2/etc/gwe/Engine.config"; }')
        self.assertTrue((self.install(f"CHECKER={sees_all}") / "etc/gwe/Engine.config").exists())
        for checker in (self.stand_in("strict", '[ "$1" = --version ]'), self.binary, self.scratch / "nowhere"):
            with self.assertRaises(Exception, msg=str(checker)):
                self.install(f"CHECKER={checker}")

    def stand_in(self, name, script):
        program = self.scratch / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    def test_nothing_in_it_is_unique_to_a_unit(self):
        text = (self.install() / "etc/gwe/Gateway.cfg").read_text()
        self.assertIn("cik = ''\n", text)
        self.assertIn("uuid = ''\n", text)

    def test_the_queue_can_be_left_out(self):
        tree = self.install("GMQ=no")
        self.assertFalse((tree / "etc/gwe/supervisor.d/gmq.conf").exists())

    def test_shellcheck_accepts_every_script(self):
        if not shutil.which("shellcheck"):
            sandbox.skip("needs shellcheck")
        for hosting in OF_HOSTING:
            tree = self.install("INIT=sysv", f"HOSTING={hosting}")
            scripts = [str(tree / name[1:]) for name in SCRIPTS if (tree / name[1:]).exists()]
            done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_busybox_runs_every_script(self):
        if not shutil.which("busybox"):
            sandbox.skip("needs busybox")
        for hosting in OF_HOSTING:
            tree = self.install("INIT=sysv", f"HOSTING={hosting}")
            for path in sorted(tree / name[1:] for name in SCRIPTS if (tree / name[1:]).exists()):
                done = subprocess.run(["busybox", "sh", "-n", str(path)], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), path)

    def test_systemd_accepts_the_unit(self):
        if not shutil.which("systemd-analyze"):
            sandbox.skip("needs systemd-analyze")
        # The unit names absolute paths; in a copy they point into the tree, so that the check looks at what is there.
        tree = self.install("INIT=systemd", "HOSTING=python")
        (tree / "usr/bin/supervisord").write_text("#!/bin/sh\n")
        (tree / "usr/bin/supervisord").chmod(0o755)
        units = tree / "usr/lib/systemd/system"
        text = (units / "gwe.service").read_text()
        (units / "gwe.service").write_text(re.sub(r"(=-?)(/usr/)", rf"\1{tree}\2", text))
        (units / "supervisor.service").write_text("[Service]\nExecStart=/bin/true\n")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(units / "gwe.service"), str(units / "supervisor.service")],
                              capture_output=True, text=True, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"})
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
