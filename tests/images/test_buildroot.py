"""buildroot-package: its Config.in under kconfiglib, its .mk under real make with stubs of Buildroot's own, hashes and versions in step."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import tomllib
import unittest

import kconfiglib

import sandbox

EXTERNAL = sandbox.REPOSITORY / "buildroot-package"
PACKAGE = EXTERNAL / "package/gwe"
VERSION = tomllib.loads((sandbox.REPOSITORY / "Cargo.toml").read_text())["package"]["version"]

# The symbols of Buildroot that Config.in names, with what they depend on there.
BUILDROOT = """
config BR2_PACKAGE_HOST_RUSTC_TARGET_ARCH_SUPPORTS
	bool "rust target"
config BR2_x86_64
	bool "x86_64"
config BR2_aarch64
	bool "aarch64"
config BR2_arm
	bool "arm"
config BR2_TOOLCHAIN_USES_UCLIBC
	bool "uclibc"
config BR2_USE_MMU
	bool "mmu"
config BR2_USE_WCHAR
	bool "wchar"
config BR2_TOOLCHAIN_HAS_THREADS
	bool "threads"
config BR2_STATIC_LIBS
	bool "static"
config BR2_PACKAGE_HOST_RUSTC
	bool
config BR2_PACKAGE_PYTHON3
	bool "python3"
	depends on BR2_USE_WCHAR
	depends on BR2_USE_MMU
	depends on BR2_TOOLCHAIN_HAS_THREADS
	depends on !BR2_STATIC_LIBS
config BR2_PACKAGE_SUPERVISOR
	bool "supervisor"
	depends on BR2_PACKAGE_PYTHON3
config BR2_PACKAGE_CA_CERTIFICATES
	bool "ca-certificates"
config BR2_PACKAGE_OPENSSL
	bool "openssl"
config BR2_PACKAGE_E2FSPROGS
	bool "e2fsprogs"
	depends on BR2_USE_MMU
source "$BR2_EXTERNAL_GWE_PATH/package/gwe/Config.in"
"""

NEEDED = ("BR2_PACKAGE_HOST_RUSTC_TARGET_ARCH_SUPPORTS", "BR2_USE_MMU", "BR2_TOOLCHAIN_HAS_THREADS", "BR2_x86_64")
CAPABLE = (*NEEDED, "BR2_USE_WCHAR")

# What Buildroot would do with the package, cut down to its hooks.
MAKEFILE = r"""
qstrip = $(strip $(subst ",,$(1)))
comma := ,
UPPERCASE = $(shell echo '$(1)' | tr 'a-z-' 'A-Z_')
include $(CONFIG)
TARGET_DIR := $(OUT)/target
TARGET_MAKE_ENV := PATH="$$PATH"
RUSTC_TARGET_NAME := x86_64-unknown-linux-gnu
cargo-package =
include $(BR2_EXTERNAL_GWE_PATH)/package/gwe/gwe.mk
all: @D = $(SOURCE)
all:
	mkdir -p $(TARGET_DIR)/etc/init.d
	touch $(TARGET_DIR)/etc/init.d/S99supervisord
	$(GWE_INSTALL_TARGET_CMDS)
	$(GWE_INSTALL_INIT_$(INIT))
	$(foreach hook,$(GWE_TARGET_FINALIZE_HOOKS),$($(hook)))
show: @D = $(SOURCE)
show:
	@echo '$(GWE_CARGO_BUILD_OPTS)|$(GWE_CARGO_ENV)|$(GWE_DEPENDENCIES)|$(GWE_SITE)|$(GWE_LICENSE)'
"""


class Configuration(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        top = pathlib.Path(scratch.name, "Config.in")
        top.write_text(BUILDROOT)
        os.environ["BR2_EXTERNAL_GWE_PATH"] = str(EXTERNAL)
        self.kconfig = kconfiglib.Kconfig(str(top))
        for name in CAPABLE:
            self.kconfig.syms[name].set_value("y")

    def set(self, name, value="y"):
        self.assertTrue(self.kconfig.syms[name].set_value(value), name)

    def value(self, name):
        return self.kconfig.syms[name].str_value

    def test_it_parses_without_a_word(self):
        self.assertEqual(self.kconfig.warnings, [])
        undefined = [name for name, symbol in self.kconfig.syms.items() if name.startswith("BR2_") and not symbol.nodes]
        self.assertEqual(undefined, [], "a typo in `depends on` drops the package without a word")

    def test_it_brings_what_it_runs_on(self):
        self.set("BR2_PACKAGE_GWE")
        for name in ("GWE", "HOST_RUSTC", "GWE_HOSTING_OWN", "GWE_DDI", "OPENSSL", "CA_CERTIFICATES", "GWE_GMQ", "GWE_TLS_OPENSSL"):
            self.assertEqual(self.value(f"BR2_PACKAGE_{name}"), "y", name)
        for name in ("E2FSPROGS", "PYTHON3", "SUPERVISOR"):
            self.assertEqual(self.value(f"BR2_PACKAGE_{name}"), "n", name)
        self.assertEqual(self.kconfig.warnings, [])

    def test_hosting_is_a_choice_and_only_one_of_them_brings_python(self):
        self.set("BR2_PACKAGE_GWE")
        self.set("BR2_PACKAGE_GWE_HOSTING_PYTHON")
        for name, value in (("PYTHON3", "y"), ("SUPERVISOR", "y"), ("GWE_HOSTING_OWN", "n")):
            self.assertEqual(self.value(f"BR2_PACKAGE_{name}"), value, name)
        # A toolchain that has no Python can have the other.
        self.kconfig.syms["BR2_USE_WCHAR"].set_value("n")
        for name, value in (("PYTHON3", "n"), ("SUPERVISOR", "n"), ("GWE_HOSTING_OWN", "y"), ("GWE", "y")):
            self.assertEqual(self.value(f"BR2_PACKAGE_{name}"), value, name)

    def test_hawkbits_settings_are_only_there_with_it(self):
        self.set("BR2_PACKAGE_GWE")
        self.set("BR2_PACKAGE_GWE_DDI_TOKEN", "t")
        self.assertEqual(self.value("BR2_PACKAGE_GWE_DDI_TOKEN_KIND"), "gateway")
        self.set("BR2_PACKAGE_GWE_DDI", "n")
        self.assertEqual(self.value("BR2_PACKAGE_GWE_DDI_TOKEN"), "")

    def test_each_missing_capability_hides_it(self):
        for name in NEEDED + ("BR2_STATIC_LIBS",):
            with self.subTest(name=name):
                self.set("BR2_PACKAGE_GWE")
                self.kconfig.syms[name].set_value("y" if name == "BR2_STATIC_LIBS" else "n")
                self.assertEqual(self.value("BR2_PACKAGE_GWE"), "n")
                self.kconfig.syms[name].set_value("n" if name == "BR2_STATIC_LIBS" else "y")

    def test_every_architecture_that_the_sleeper_knows_and_no_other(self):
        text = (sandbox.REPOSITORY / "build.rs").read_text()
        known = re.findall(r'"(\w+)"', re.search(r"const ARCHITECTURES: .* = \[(.*)\];", text)[1])
        self.kconfig.syms["BR2_x86_64"].set_value("n")
        for name in known:
            self.set(f"BR2_{name}")
            self.assertEqual(self.value("BR2_PACKAGE_GWE_ARCH_SUPPORTS"), "y", name)
            self.set(f"BR2_{name}", "n")
        self.assertEqual(self.value("BR2_PACKAGE_GWE_ARCH_SUPPORTS"), "n")

    def test_who_has_uclibc_is_told(self):
        # Buildroot's Rust is for glibc and musl alone.
        self.set("BR2_PACKAGE_HOST_RUSTC_TARGET_ARCH_SUPPORTS", "n")
        self.set("BR2_TOOLCHAIN_USES_UCLIBC")
        comments = [node.prompt[0] for node in self.kconfig.node_iter() if node.item == kconfiglib.COMMENT and kconfiglib.expr_value(node.prompt[1])]
        self.assertEqual(comments, ["gwe needs a glibc or musl toolchain"])

    def test_tls_is_a_choice(self):
        self.set("BR2_PACKAGE_GWE")
        self.set("BR2_PACKAGE_GWE_TLS_NONE")
        self.assertEqual((self.value("BR2_PACKAGE_OPENSSL"), self.value("BR2_PACKAGE_CA_CERTIFICATES")), ("n", "n"))
        self.set("BR2_PACKAGE_GWE_TLS_RUSTLS")
        self.assertEqual((self.value("BR2_PACKAGE_OPENSSL"), self.value("BR2_PACKAGE_CA_CERTIFICATES")), ("n", "y"))

    def test_a_data_partition_brings_its_tools_and_a_serial_number_takes_the_interface_away(self):
        self.set("BR2_PACKAGE_GWE")
        self.set("BR2_PACKAGE_GWE_DATA", "/dev/mmcblk0p4")
        self.assertEqual(self.value("BR2_PACKAGE_E2FSPROGS"), "y")
        self.assertEqual(self.value("BR2_PACKAGE_GWE_IFACE"), "eth0")
        self.set("BR2_PACKAGE_GWE_SERIAL", "file:/proc/device-tree/serial-number")
        self.assertEqual(self.value("BR2_PACKAGE_GWE_IFACE"), "")

    def test_the_defconfigs_name_symbols_that_exist(self):
        for path in EXTERNAL.glob("configs/*_defconfig"):
            for name in re.findall(r"^(BR2_PACKAGE_GWE\w*)=", path.read_text(), re.M):
                self.assertTrue(self.kconfig.syms[name].nodes, f"{path.name}: {name}")
            self.assertIn("BR2_DOWNLOAD_FORCE_CHECK_HASHES=y", path.read_text())
        self.assertEqual(len(list(EXTERNAL.glob("configs/*_defconfig"))), 3)

    def test_help_is_as_buildroot_wraps_it(self):
        text = (PACKAGE / "Config.in").read_text()
        for line in text.splitlines():
            if line.startswith("\t  "):
                self.assertLessEqual(len(line.expandtabs(8)), 72, line)
        first = text.split('\n\tbool "gwe"')[1].split("\nif ")[0]
        self.assertRegex(first, r"\n\n\t  https://\S+\n$", "a blank line, and the address last")


class Package(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)
        self.source = self.scratch / "source"
        self.source.mkdir()
        for name in ("Makefile", "mk", "configs", "docs", "tools", "LICENSE", "LICENSE-CRATES"):
            (self.source / name).symlink_to(sandbox.REPOSITORY / name)
        for kind in ("release", "debug"):
            binary = self.source / "target/x86_64-unknown-linux-gnu" / kind / "gwe"
            binary.parent.mkdir(parents=True)
            binary.write_text(kind)
            binary.with_name("hosting-core").write_text(kind)
        (self.scratch / "Makefile").write_text(MAKEFILE)

    def make(self, target, init="NONE", again=False, **config):
        """`again`: into the folder of the last call with it, as Buildroot does."""
        settings = {"BR2_PACKAGE_GWE_TLS_OPENSSL": "y", "BR2_PACKAGE_GWE_GMQ": "y", "BR2_PACKAGE_GWE_IFACE": '"eth0"',
                    "BR2_PACKAGE_GWE_UPDATE_INTERVAL": "14400", "BR2_PACKAGE_GWE_ACTIVATION_RETRY_INTERVAL": "60",
                    "BR2_PACKAGE_GWE_LOG_LEVEL": '"INFO"', "BR2_PACKAGE_GWE_LOGDIR": '"/var/log"', "BR2_PACKAGE_GWE_BACKEND": '"device-api"',
                    **{(name if name.startswith(("BR2_", "NORMALIZED_")) else f"BR2_PACKAGE_GWE_{name}"): value for name, value in config.items()}}
        (self.scratch / "config").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        out = self.scratch / "out" if again else pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        done = subprocess.run(
            ["make", "-s", "-C", str(self.scratch), target, f"CONFIG={self.scratch}/config", f"OUT={out}", f"SOURCE={self.source}", f"INIT={init}",
             f"BR2_EXTERNAL_GWE_PATH={EXTERNAL}"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return out / "target" if target == "all" else done.stdout.strip()

    def test_the_hooks_install_for_every_init_system(self):
        for init, present in (("NONE", None), ("SYSV", "etc/init.d/S99gwe"), ("SYSTEMD", "usr/lib/systemd/system/gwe.service")):
            with self.subTest(init=init):
                tree = self.make("all", init)
                for path in ("usr/bin/gwe", "usr/libexec/gwe/supervise", "etc/gwe/supervisord.conf", "etc/gwe/supervisor.d/gmq.conf"):
                    self.assertTrue((tree / path).is_file(), path)
                self.assertEqual((tree / "usr/bin/gwe").read_text(), "release")
                if present:
                    self.assertTrue((tree / present).is_file(), present)
                else:
                    self.assertEqual([path.name for path in (tree / "etc/init.d").iterdir()], ["S99supervisord"])
                self.assertFalse((tree / "usr/share/man").exists(), "no documents unless asked for")

    def test_pythons_hosting_is_installed_where_it_is_chosen(self):
        tree = self.make("all", "SYSV", HOSTING_PYTHON="y")
        self.assertFalse((tree / "usr/bin/supervisord").exists() or (tree / "usr/libexec/gwe/hosting-core").exists())
        self.assertTrue((tree / "usr/libexec/gwe/rescue").exists())
        self.assertFalse((tree / "etc/init.d/S99supervisord").exists(), "one supervisord, not two")
        tree = self.make("all", "SYSV")
        self.assertTrue((tree / "usr/bin/supervisord").is_symlink() and (tree / "usr/libexec/gwe/hosting-core").exists())

    def test_the_options_reach_the_files(self):
        key, app = self.scratch / "oem.pub", self.scratch / "hello.v1.tar.gz"
        key.write_text("key")
        app.write_text("app")
        root, keys = self.scratch / "root.pub", self.scratch / "fleet.json"
        root.write_text("root")
        keys.write_text("set")
        tree = self.make("all", "SYSV", TRUSTED_ROOT_KEYS=f'"{root}"', KEY_SET=f'"{keys}"', APPLY='"consent"', WINDOW='"23:00-01:30"', MAX_HOLD="600", MAX_RATE='"64k"', MONTHLY_BYTES='"50M"', NO_DOWNLOADS_ON='"wwan* ppp0"', PRODUCT_ID='"p1"', SERVER='"https://iot.example"', UPDATE_INTERVAL="900", DATA='"/dev/vdb"', IFACE="",
                         SERIAL='"file:/proc/device-tree/serial-number"', REQUIRE_SIGNATURES="y", TRUSTED_KEYS=f'"{key}"', APPS=f'"{app}"', GMQ="", DOCS="y", BR2_ENABLE_DEBUG="y")
        self.assertEqual((tree / "etc/gwe/Gateway.cfg").read_text(), "[device]\ncik = ''\nmodel = p1\nvendor = p1\nuuid = ''\niface = ''\n")
        self.assertIn("server = https://iot.example\n", (tree / "etc/gwe/Engine.config").read_text())
        self.assertIn("require_signatures = yes\n", (tree / "etc/gwe/Engine.config").read_text())
        self.assertIn("\napply = consent\nwindow = 23:00-01:30\nmax_hold = 600\n", (tree / "etc/gwe/Engine.config").read_text())
        self.assertIn("[network]\nmax_rate = 64k\nmonthly_bytes = 50M\nno_downloads_on = wwan* ppp0\n", (tree / "etc/gwe/Engine.config").read_text())
        self.assertEqual([(tree / "etc/gwe" / path).read_text() for path in ("trusted-root/root.pub", "keys.json")], ["root", "set"])
        self.assertIn("GWE_DATA='/dev/vdb'\n", (tree / "etc/default/gwe").read_text())
        self.assertIn("GWE_SERIAL='file:/proc/device-tree/serial-number'\n", (tree / "etc/default/gwe").read_text())
        self.assertTrue((tree / "etc/gwe/trusted/oem.pub").exists() and (tree / "usr/share/gwe/apps_to_install/hello.v1.tar.gz").exists())
        self.assertFalse((tree / "etc/gwe/supervisor.d/gmq.conf").exists())
        self.assertEqual((tree / "usr/bin/gwe").read_text(), "debug")
        self.assertTrue((tree / "usr/share/man/man8/gwe.8").exists())

    def test_what_the_configuration_no_longer_names_does_not_stay_in_the_image(self):
        names = ("old.pub", "new.pub", "roots.pem", "old.v1.tar.gz", "new.v1.tar.gz", "set.json")
        old, new, roots, old_app, new_app, keys = [self.scratch / name for name in names]
        for path in (old, new, roots, old_app, new_app, keys):
            path.write_text(path.name)
        self.make("all", again=True, TRUSTED_KEYS=f'"{old} {new}"', TRUSTED_ROOT_KEYS=f'"{old}"', KEY_SET=f'"{keys}"', CACERT=f'"{roots}"', APPS=f'"{old_app}"')
        tree = self.make("all", again=True, TRUSTED_KEYS=f'"{new}"', APPS=f'"{new_app}"')
        kept = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.name in (*names, "keys.json", "cacert.pem")}
        self.assertEqual(kept, {"etc/gwe/trusted/new.pub", "usr/share/gwe/apps_to_install/new.v1.tar.gz"})

    def test_folders_have_the_modes_that_make_install_gives_them(self):
        # What lies below is not for others to open: a lock on the folder itself would keep the agent waiting (docs/spec/failures.md, A9).
        table = re.search(r"^define GWE_PERMISSIONS\n(.*?)^endef", (PACKAGE / "gwe.mk").read_text(), re.M | re.S)[1]
        tree = self.make("all")
        rows = [line.split() for line in table.splitlines()]
        self.assertIn("/var/lib/gwe", [row[0] for row in rows])
        for path, _, mode, *_ in rows:
            self.assertEqual((tree / path[1:]).stat().st_mode & 0o7777, int(mode, 8), path)

    def test_a_checker_of_this_machine_is_asked(self):
        checker = self.scratch / "checker"
        checker.write_text(f'#!/bin/sh\n[ "$1" = --version ] || echo "$@" >{self.scratch}/asked\n')
        checker.chmod(0o755)
        tree = self.make("all", CHECKER=f'"{checker}"')
        self.assertEqual((self.scratch / "asked").read_text(), f"--root {tree} --check-config\n")

    def test_nothing_set_stops_nothing(self):
        self.make("show", PRODUCT_ID="")
        self.make("all", PRODUCT_ID='""', TRUSTED_KEYS='""', TRUSTED_ROOT_KEYS='""', KEY_SET='""', APPLY='""', WINDOW='""', MAX_HOLD="", MAX_RATE='""', MONTHLY_BYTES='""', NO_DOWNLOADS_ON='""', APPS='""', CACERT='""', SERIAL='""', SERVER='""', DATA='""')

    def test_hawkbit_is_built_in_where_it_is_chosen_and_its_settings_reach_the_files(self):
        self.assertNotIn("ddi", self.make("show").split("|")[0])
        self.assertEqual(self.make("show", DDI="y").split("|")[0], "--no-default-features --features tls-openssl --features ddi")
        tree = self.make("all", DDI="y", BACKEND='"ddi"', DDI_URL='"https://h.example"', DDI_TOKEN='"t"', DDI_TOKEN_KIND='"gateway"')
        self.assertIn("url = https://h.example\ntenant = DEFAULT\n", (tree / "etc/gwe/Gateway.cfg").read_text())
        self.assertIn("backend = ddi\n", (tree / "etc/gwe/Engine.config").read_text())

    def test_the_build_is_small_and_has_the_chosen_tls(self):
        options, environment, dependencies, site, _ = self.make("show").split("|")
        self.assertEqual(options, "--no-default-features --features tls-openssl")
        for wanted in ('OPT_LEVEL="z"', 'LTO="true"', 'CODEGEN_UNITS="1"'):
            self.assertIn(f"CARGO_PROFILE_RELEASE_{wanted}", environment)
        self.assertEqual(dependencies.split(), ["host-pkgconf", "openssl"])
        self.assertEqual(site, f"file://{EXTERNAL}/../dist")
        options, _, dependencies, *_ = self.make("show", TLS_OPENSSL="", TLS_RUSTLS="y").split("|")
        self.assertEqual((options, dependencies), ("--no-default-features --features tls-rustls", ""))
        options, _, dependencies, *_ = self.make("show", TLS_OPENSSL="", TLS_NONE="y").split("|")
        self.assertEqual((options, dependencies), ("--no-default-features", ""))
        self.assertEqual(self.make("show", SITE='"https://releases.example"').split("|")[3], "https://releases.example")

    def test_no_folder_of_the_build_machine_is_in_the_program(self):
        for architecture, also in (("x86_64", ""), ("arm", " -Clink-arg=-Wl,--allow-multiple-definition")):
            environment = self.make("show", NORMALIZED_ARCH=architecture).split("|")[1]
            self.assertIn(f'CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="--remap-path-prefix={self.source}=/gwe '
                          f'--remap-path-prefix={self.source}/VENDOR=/crates{also}"', environment)

    def test_version_hash_and_licence_are_in_step(self):
        text = (PACKAGE / "gwe.mk").read_text()
        self.assertIn(f"\nGWE_VERSION = {VERSION}\n", text)
        files = re.search(r"^GWE_LICENSE_FILES = (.*)$", text, re.M)[1].split()
        self.assertEqual(files, ["LICENSE", "LICENSE-CRATES"])
        for name in files:
            digest = hashlib.sha256((sandbox.REPOSITORY / name).read_bytes()).hexdigest()
            self.assertIn(f"\nsha256  {digest}  {name}\n", (PACKAGE / "gwe.hash").read_text())

    def test_both_trees_know_the_same_settings(self):
        layer = set(re.findall(r"^GWE_(\w+) \?=", next(sandbox.REPOSITORY.glob("meta-gwe/recipes-gwe/gwe/gwe_*.bb")).read_text(), re.M))
        here = set(re.findall(r"^config BR2_PACKAGE_GWE_(\w+)", (PACKAGE / "Config.in").read_text(), re.M))
        self.assertLessEqual(layer, here)
        self.assertEqual({name for name in here - layer if not name.startswith(("TLS_", "HOSTING_"))}, {"DDI", "ARCH_SUPPORTS", "GMQ", "DOCS", "SITE", "SBOM"})

    def test_no_variable_is_set_for_all_and_again_on_a_condition(self):
        # Buildroot's check-package: "conditional override of variable".
        depth, always, wrong = 0, set(), []
        for line in (PACKAGE / "gwe.mk").read_text().splitlines():
            depth += line.startswith(("ifeq", "ifneq", "ifdef", "ifndef")) - line.startswith("endif")
            if found := re.match(r"([A-Z0-9_]+) *:?= ", line):
                if not depth:
                    always.add(found[1])
                elif found[1] in always:
                    wrong.append(found[1])
        self.assertEqual(wrong, [])
        self.assertIn("GWE_CARGO_BUILD_OPTS", always)

    def test_scripts(self):
        if not shutil.which("shellcheck"):
            sandbox.skip("needs shellcheck")
        done = subprocess.run(["shellcheck", str(EXTERNAL / "board/gwe/post-image.sh")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
