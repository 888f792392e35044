"""The recipe's tasks, run as bitbake runs them: in a build folder that is not the source folder, as cargo.bbclass of every release has it.

What the classes would set stands below as each release's own files have it; the source is what SRC_URI names, copied as the fetcher does.
"""

import fnmatch
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import bitbake
import sandbox

RECIPE = next(sandbox.REPOSITORY.glob("meta-gwe/recipes-gwe/gwe/gwe_*.bb"))

# bitbake.conf and cargo.bbclass, as far as the recipe leans on them. Their FILES decide what is packaged.
COMMON = {
    "PN": "gwe", "BPN": "gwe", "PV": RECIPE.stem.split("_")[1], "BP": f"gwe-{RECIPE.stem.split('_')[1]}",
    "prefix": "/usr", "bindir": "/usr/bin", "libdir": "/usr/lib", "libexecdir": "/usr/libexec", "datadir": "/usr/share", "mandir": "/usr/share/man",
    "docdir": "/usr/share/doc", "sysconfdir": "/etc", "localstatedir": "/var", "systemd_system_unitdir": "/usr/lib/systemd/system",
    "B": "${WORKDIR}/build", "D": "${WORKDIR}/image", "RUST_HOST_SYS": "x86_64-unknown-linux-gnu",
    "CARGO_MANIFEST_PATH": "${S}/Cargo.toml", "CARGO_TARGET_SUBDIR": "${RUST_HOST_SYS}/release",
    "SPDX_PACKAGE_URLS": "pkg:cargo/${BPN}@${PV} ", "PACKAGES": "gwe-ptest gwe-src gwe-dbg gwe-staticdev gwe-dev gwe-doc gwe-locale gwe",
    "FILES:gwe": "${bindir}/* ${libexecdir}/* ${sysconfdir} ${localstatedir} ${datadir}/gwe",
    "FILES:gwe-doc": "${docdir} ${mandir}",
}
RELEASES = {
    "scarthgap": {"S": "${WORKDIR}/${BP}",
                  "CARGO_BUILD_FLAGS": "-v --frozen --target ${RUST_HOST_SYS} --release --manifest-path=${CARGO_MANIFEST_PATH}"},
    "wrynose": {"UNPACKDIR": "${WORKDIR}/sources", "S": "${UNPACKDIR}/${BP}",
                "CARGO_BUILD_FLAGS": "-v --frozen --target ${RUST_HOST_SYS} --profile=release --manifest-path=${CARGO_MANIFEST_PATH}"},
}
# wrynose's class names what PACKAGECONFIG asks for once more, behind the flags.
CARGO = {"scarthgap": "${CARGO_BUILD_FLAGS}", "wrynose": "${CARGO_BUILD_FLAGS} ${PACKAGECONFIG_CONFARGS}"}
# base.bbclass: the install task's own EXTRA_OEMAKE has PARALLEL_MAKEINST.
HELPERS = """
die() { echo "$*" >&2; exit 1; }
oe_runmake() { make -j 2 "$@" || die "oe_runmake failed"; }
"""
CHOICES = ([], ["tls-openssl"], ["tls-rustls"], ["tls-openssl", "ddi"], ["tls-openssl", "ddi", "hosting-python"])


class Tasks(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.work = pathlib.Path(scratch.name)

    def recipe(self, release, features=("tls-openssl",), text=None, **settings):
        """The recipe of a fresh WORKDIR, unpacked and compiled: a stand-in is where cargo leaves the program."""
        work = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        path = RECIPE
        if text is not None:
            shutil.copytree(RECIPE.parent, work / "recipe", symlinks=True)
            path = work / "recipe" / RECIPE.name
            path.write_text(text)
        recipe = bitbake.Recipe(path, {**COMMON, **RELEASES[release], "WORKDIR": str(work), **settings})
        recipe.use(features)
        unpackdir = pathlib.Path(recipe.getVar("UNPACKDIR") or recipe.getVar("WORKDIR"))
        for uri in recipe.words("SRC_URI"):
            name, *parameters = uri.removeprefix("file://").split(";")
            if uri.startswith("file://"):
                fetched = (pathlib.Path(name) if os.path.isabs(name) else RECIPE.parent / "files" / name).resolve(strict=True)
                folder = dict(parameter.split("=") for parameter in parameters).get("subdir", "")
                target = unpackdir / folder / name.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(fetched, target) if fetched.is_dir() else shutil.copy(fetched, target)
        program = pathlib.Path(recipe.getVar("B"), "target", recipe.getVar("CARGO_TARGET_SUBDIR"), "gwe")
        program.parent.mkdir(parents=True)
        for name in ("gwe", "hosting-core"):
            program.with_name(name).write_text("#!/bin/sh\n")
        pathlib.Path(recipe.getVar("D")).mkdir()
        return recipe

    def installed(self, recipe):
        done = recipe.run("do_install", HELPERS)
        self.assertEqual(done.returncode, 0, done.stderr)
        return pathlib.Path(recipe.getVar("D"))

    def packaged(self, recipe):
        """Path of each installed file → its package, the first of PACKAGES whose FILES name it."""
        tree, found = pathlib.Path(recipe.getVar("D")), {}
        packages = [name for name in recipe.words("PACKAGES") if not name.endswith(("-src", "-dbg", "-dev", "-staticdev", "-locale", "-ptest"))]
        for path in sorted(tree.rglob("*")):
            shown = "/" + str(path.relative_to(tree))
            if not path.is_dir() or path.is_symlink():
                named = (package for package in packages for pattern in recipe.words(f"FILES:{package}")
                         if fnmatch.fnmatchcase(shown, pattern) or shown.startswith(pattern.rstrip("/") + "/"))
                found[shown] = next(named, None)
        return found

    def test_install_in_a_build_folder_that_is_not_the_source(self):
        for release in RELEASES:
            for features in CHOICES:
                with self.subTest(release=release, features=features):
                    recipe = self.recipe(release, features)
                    self.assertNotEqual(recipe.getVar("B"), recipe.getVar("S"))
                    tree = self.installed(recipe)
                    for path in ("usr/bin/gwe", "etc/init.d/gwe", "usr/lib/systemd/system/gwe.service", "usr/libexec/gwe/supervise", "etc/gwe/Gateway.cfg"):
                        self.assertTrue((tree / path).is_file(), path)
                    is_python = "hosting-python" in features
                    self.assertEqual((tree / "usr/libexec/gwe/hosting-core").exists(), not is_python)
                    self.assertEqual((tree / "usr/bin/supervisord").is_symlink(), not is_python)
                    needed = {name for name in recipe.words("RDEPENDS:gwe") if name.startswith("python")}
                    self.assertEqual(needed, {"python3-core", "python3-fcntl", "python3-supervisor", "python3-unixadmin"} if is_python else set())
                    self.assertEqual(recipe.words("RCONFLICTS:gwe"), [] if is_python else ["python3-supervisor"])
                    packaged = self.packaged(recipe)
                    self.assertEqual([path for path, package in packaged.items() if package is None], [], "installed and not shipped")
                    self.assertEqual(packaged["/usr/bin/gmq"], "gwe-gmq")
                    for package in ("gwe", "gwe-gmq"):
                        for path in recipe.words(f"CONFFILES:{package}"):
                            self.assertEqual(packaged[path], package)
                    # Neither systemd.bbclass nor update-rc.d.bbclass finds what is not there.
                    self.assertLessEqual({"systemd", "update-rc.d"}, recipe.inherited)
                    for service in recipe.words("SYSTEMD_SERVICE:gwe"):
                        self.assertEqual(packaged[f"/usr/lib/systemd/system/{service}"], "gwe")
                    self.assertEqual(packaged[f"/etc/init.d/{recipe.getVar('INITSCRIPT_NAME')}"], "gwe")

    def test_a_make_that_stays_in_the_build_folder_is_seen(self):
        text = RECIPE.read_text()
        broken = text.replace('oe_runmake -C "${S}" install', "oe_runmake install")
        self.assertNotEqual(broken, text)
        done = self.recipe("wrynose", text=broken).run("do_install", HELPERS)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("No rule to make target 'install'", done.stderr)

    def test_a_bad_setting_fails_the_install_where_a_checker_of_this_machine_is_named(self):
        strict = self.work / "strict"
        strict.write_text('#!/bin/sh\n[ "$1" = --version ] || { echo "line 2: server cannot be that"; exit 1; }\n')
        strict.chmod(0o755)
        for release in RELEASES:
            done = self.recipe(release, GWE_CHECKER=str(strict)).run("do_install", HELPERS)
            self.assertIn("server cannot be that", done.stderr)
            self.assertNotEqual(done.returncode, 0)

    def test_the_settings_reach_the_files_with_the_sources_of_each_release(self):
        key, app = self.work / "oem.pub", self.work / "hello.v1.tar.gz"
        key.write_text("key")
        app.write_text("app")
        root, keys, roots = (self.work / name for name in ("root.pub", "fleet.json", "roots.pem"))
        for file in (root, keys, roots):
            file.write_text(file.name)
        for release in RELEASES:
            with self.subTest(release=release):
                tree = self.installed(self.recipe(release, GWE_TRUSTED_ROOT_KEYS=str(root), GWE_KEY_SET=str(keys), GWE_CACERT=str(roots), GWE_APPLY="reboot",
                                                  GWE_WINDOW="23:00-01:30", GWE_MAX_HOLD="600", GWE_MAX_RATE="64k", GWE_MONTHLY_BYTES="50M", GWE_NO_DOWNLOADS_ON="wwan* ppp0", GWE_PRODUCT_ID="p1", GWE_TRUSTED_KEYS=str(key), GWE_REQUIRE_SIGNATURES="yes", GWE_APPS=str(app), GWE_DATA="/dev/mmcblk0p3",
                                                  GWE_SERIAL="file:/proc/device-tree/serial-number", GWE_BACKEND="ddi", GWE_DDI_URL="https://h.example"))
                self.assertIn("url = https://h.example\n", (tree / "etc/gwe/Gateway.cfg").read_text())
                self.assertIn("require_signatures = yes\n", (tree / "etc/gwe/Engine.config").read_text())
                self.assertIn("backend = ddi\n", (tree / "etc/gwe/Engine.config").read_text())
                self.assertIn("model = p1\n", (tree / "etc/gwe/Gateway.cfg").read_text())
                self.assertIn("iface = ''\n", (tree / "etc/gwe/Gateway.cfg").read_text())
                self.assertIn("\napply = reboot\nwindow = 23:00-01:30\nmax_hold = 600\n", (tree / "etc/gwe/Engine.config").read_text())
                self.assertIn("[network]\nmax_rate = 64k\nmonthly_bytes = 50M\nno_downloads_on = wwan* ppp0\n", (tree / "etc/gwe/Engine.config").read_text())
                for path, name in (("trusted-root/root.pub", "root.pub"), ("keys.json", "fleet.json"), ("cacert.pem", "roots.pem")):
                    self.assertEqual((tree / "etc/gwe" / path).read_text(), name)
                self.assertEqual((tree / "etc/gwe/trusted/oem.pub").read_text(), "key")
                self.assertEqual((tree / "usr/share/gwe/apps_to_install/hello.v1.tar.gz").read_text(), "app")
                self.assertIn("GWE_DATA='/dev/mmcblk0p3'\n", (tree / "etc/default/gwe").read_text())

    def test_compile_asks_cargo_for_the_chosen_tls_and_no_other(self):
        if not shutil.which("cargo"):
            self.skipTest("skipped: needs cargo")
        for release in RELEASES:
            for features in CHOICES:
                with self.subTest(release=release, features=features):
                    recipe = self.recipe(release, features)
                    # What cargo would build, without building it. --frozen would ask for the crates that bitbake fetched.
                    command = ["cargo", "build", *recipe.expand(CARGO[release]).replace("--frozen", "--locked").split()]
                    done = subprocess.run([*command, "--unit-graph", "-Zunstable-options"], cwd=recipe.getVar("B"), capture_output=True, text=True,
                                          env={**os.environ, "RUSTC_BOOTSTRAP": "1"})
                    self.assertEqual(done.returncode, 0, done.stderr)
                    graph = json.loads(done.stdout)
                    units = [graph["units"][index] for index in graph["roots"]]
                    wanted = sorted(feature for feature in features if feature != "hosting-python")
                    self.assertEqual([sorted(unit["features"]) for unit in units], [wanted] * len(units))
                    self.assertEqual(units[0]["profile"]["name"], "release")
                    tls = {name for name in ("openssl", "rustls") for unit in graph["units"] if unit["target"]["name"] == name}
                    self.assertEqual(tls, {feature.removeprefix("tls-") for feature in features if feature.startswith("tls-")})
                    # On an image TLS needs the roots, and OpenSSL to build against.
                    self.assertEqual("openssl" in recipe.words("DEPENDS"), "tls-openssl" in features)
                    self.assertEqual("ca-certificates" in recipe.words("RDEPENDS:gwe"), bool(features))

    def test_what_the_build_script_reads_is_exported(self):
        recipe = self.recipe("wrynose")
        self.assertEqual({name: recipe.getVar(name) for name in recipe.exported},
                         {"GWE_PACK_RELOCATIONS": "1", "GWE_KEEP_SYMBOLS": "1", "AWS_LC_SYS_NO_JITTER_ENTROPY": "1"})

    def test_the_package_is_named_as_ours_and_not_as_a_crate_of_that_name(self):
        for release in RELEASES:
            self.assertEqual(self.recipe(release).words("SPDX_PACKAGE_URLS"), [f"pkg:generic/exosite/gateway-engine@{COMMON['PV']}"])


if __name__ == "__main__":
    unittest.main()
