"""meta-gwe, with what the registries have for it: the linter for each supported release, the parser, and what must be in step."""

import hashlib
import importlib.util
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

import jsonschema
import kas
import yaml
from oelint_parser.cls_item import Variable
from oelint_parser.cls_stash import Stash

import sandbox

LAYER = sandbox.REPOSITORY / "meta-gwe"
RECIPE = next(LAYER.glob("recipes-gwe/gwe/gwe_*.bb"))
RELEASES = ("scarthgap", "wrynose")

# The oldest Rust that builds the recipe: scarthgap's.
OLDEST_RUST = (1, 75)


def variables():
    """Every assignment of the recipe and what it requires: (name, override) → the text as it stands there."""
    stash = Stash(quiet=True)
    stash.AddFile(str(RECIPE))
    stash.Finalize()
    found = {}
    for item in stash.GetItemsFor(filename=str(RECIPE), classifier=Variable.CLASSIFIER):
        key = (item.VarName, getattr(item, "SubItem", ""))
        # The parser marks continued lines with an escape character.
        found[key] = f"{found.get(key, '')} {item.VarValueStripped}".replace("\x1b", "")
    return found, stash.ExpandVar(filename=str(RECIPE))


class Layer(unittest.TestCase):
    def test_the_linter_has_nothing_to_say_for_any_supported_release(self):
        files = [str(path) for pattern in ("*.bb", "*.inc", "*.conf") for path in LAYER.rglob(pattern)]
        self.assertGreaterEqual(len(files), 5)
        for release in RELEASES:
            with self.subTest(release=release):
                done = subprocess.run(
                    [str(pathlib.Path(sys.executable).parent / "oelint-adv"), "--quiet", "--mode", "all", "--hide", "info", "--release", release,
                     "--extra-layer", "meta-python", "--suppress", "oelint.vars.homepageping", "--suppress", "oelint.vars.inconspaces", *files],
                    capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_the_layer_names_its_releases_and_dependencies(self):
        text = (LAYER / "conf/layer.conf").read_text()
        self.assertIn(f'LAYERSERIES_COMPAT_gwe = "{" ".join(RELEASES)}"', text)
        self.assertIn('LAYERDEPENDS_gwe = "core"', text)
        self.assertIn('LAYERRECOMMENDS_gwe = "meta-python"', text)

    def test_no_recipe_does_what_breaks_reproducible_builds(self):
        for path in LAYER.rglob("*.bb*"):
            text = path.read_text()
            for forbidden in ("AUTOREV", "[network]", "pkg_postinst", "UNPACKDIR ="):
                self.assertNotIn(forbidden, text, path)
        self.assertEqual(list(LAYER.rglob("*.bbappend")), [], "the layer changes no other recipe")

    def test_what_an_integrator_looks_for_in_the_readme_is_there(self):
        text = (LAYER / "README.md").read_text()
        # As yocto-check-layer asks; a mention of another readme would make it look no further.
        for wanted in ("maintainer", "patch"):
            self.assertIn(wanted, text.lower())
        self.assertRegex(text, r"[^@\s]+@[^@\s]+")
        self.assertNotIn("readme", text.lower())

    def test_no_address_for_vulnerabilities_pretends_to_be_real(self):
        text = (LAYER / "SECURITY.md").read_text()
        self.assertNotRegex(text, r"\.example\b|[^@\s]+@[^@\s]+|https?://", "nobody would read what is sent there")
        self.assertIn("Who ships this layer in a product puts here the address", text)
        security = (sandbox.REPOSITORY / "docs/security.md").read_text()
        self.assertNotRegex(security, r"\.example\b")
        self.assertIn("the address in `meta-gwe/SECURITY.md`, which whoever ships the product sets", security)
        # What the CRA asks of who ships it, and where docs/security.md says it.
        for wanted in ("## Support, and vulnerabilities", "### What is built in", "### A release, byte for byte"):
            self.assertIn(f"\n{wanted}\n", security)

    def test_the_kas_files_fit_the_schema_and_the_layer(self):
        schema = json.loads((pathlib.Path(kas.__file__).parent / "schema-kas.json").read_text())
        for path in LAYER.glob("kas/*.yml"):
            described = yaml.safe_load(path.read_text())
            jsonschema.validate(described, schema)
            for included in described["header"].get("includes", []):
                self.assertTrue((path.parent / included).exists(), f"{path} includes {included}")
            if "target" in described:
                self.assertTrue(list(LAYER.rglob(described["target"] + ".bb")), described["target"])

    def test_every_setting_is_in_the_readme_and_reaches_the_image(self):
        settings = set(re.findall(r"^(GWE_\w+) \?=", RECIPE.read_text(), re.M))
        self.assertEqual(settings, set(re.findall(r"^\| `(GWE_\w+)` \|", (LAYER / "README.md").read_text(), re.M)))
        passed = set(re.findall(r"^            ([A-Z_]+)=", RECIPE.read_text(), re.M))
        self.assertLessEqual({name.removeprefix("GWE_") for name in settings}, passed)
        known = set(re.findall(r"^([A-Z_]+) \??=", (sandbox.REPOSITORY / "mk/install.mk").read_text(), re.M))
        self.assertLessEqual(passed, known, "each variable that the recipe passes is one of make install's")

    def test_every_setting_of_make_install_is_one_of_both_recipes(self):
        text = (sandbox.REPOSITORY / "mk/install.mk").read_text()
        told = text.split("# The factory's settings")[1].split("\n\n")[0]
        settings = {name for names in re.findall(r"^# ((?:[A-Z_]+(?:, )?)+)  ", told, re.M) for name in names.split(", ")}
        given = set(re.findall(r"^([A-Z_]+) =", text.split("\nSBOM =")[1].split("\n# ")[0], re.M))
        self.assertEqual(settings, given, "mk/install.mk: a line on top, and a default")
        package = sandbox.REPOSITORY / "buildroot-package/package/gwe"
        for file, pattern in ((LAYER / "recipes-gwe/gwe" / RECIPE.name, r"^            ([A-Z_]+)="), (package / "gwe.mk", r"^\t([A-Z_]+)="),
                              (package / "Config.in", r"^config BR2_PACKAGE_GWE_([A-Z_]+)")):
            self.assertEqual(settings - set(re.findall(pattern, file.read_text(), re.M)), set(), f"{file.name} lacks them")


class Recipe(unittest.TestCase):
    def setUp(self):
        self.assigned, self.expanded = variables()

    def test_version_and_licence_are_the_crates(self):
        manifest = tomllib.loads((sandbox.REPOSITORY / "Cargo.toml").read_text())["package"]
        self.assertEqual(RECIPE.name, f"gwe_{manifest['version']}.bb")
        for name in ("LICENSE", "LICENSE-CRATES"):
            licence = (sandbox.REPOSITORY / name).read_bytes()
            self.assertIn(f"{name};md5={hashlib.md5(licence).hexdigest()} ", self.assigned["LIC_FILES_CHKSUM", ""])
        self.assertEqual((LAYER / "LICENSE").read_bytes(), (sandbox.REPOSITORY / "LICENSE").read_bytes())
        self.assertEqual(tuple(map(int, manifest["rust-version"].split("."))), OLDEST_RUST)

    def test_crates_are_in_step_with_the_lock_file(self):
        done = subprocess.run([str(LAYER / "scripts/update-crates"), "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        lock = tomllib.loads((sandbox.REPOSITORY / "Cargo.lock").read_text())
        wanted = {f"crate://crates.io/{package['name']}/{package['version']}" for package in lock["package"] if "source" in package}
        self.assertEqual(set(re.findall(r"crate://\S+", self.assigned["SRC_URI", ""])), wanted)

    def test_the_check_of_the_crates_file_sees_a_difference(self):
        loader = importlib.machinery.SourceFileLoader("update_crates", str(LAYER / "scripts/update-crates"))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("update_crates", loader))
        written = sys.dont_write_bytecode
        sys.dont_write_bytecode = True
        loader.exec_module(module)
        sys.dont_write_bytecode = written
        lock = {"package": [
            {"name": "b", "version": "1.0.0", "source": "registry+https://github.com/rust-lang/crates.io-index", "checksum": "bb"},
            {"name": "gwe", "version": "0.1.0"},
            {"name": "a", "version": "2.0.0", "source": "registry+https://github.com/rust-lang/crates.io-index", "checksum": "aa"}]}
        self.assertEqual(module.crates_file(lock), """# Autogenerated with 'bitbake -c update_crates gwe'

# from Cargo.lock
SRC_URI += " \\
    crate://crates.io/b/1.0.0 \\
    crate://crates.io/a/2.0.0 \\
"

SRC_URI[b-1.0.0.sha256sum] = "bb"
SRC_URI[a-2.0.0.sha256sum] = "aa"
""")

    def test_packages(self):
        self.assertEqual(self.expanded["PACKAGES"][0], "gwe-gmq", "before gwe, or gwe takes its files")
        self.assertEqual(self.expanded["RRECOMMENDS:gwe"], ["gwe-gmq"])
        self.assertEqual(self.expanded["RDEPENDS:gwe-gmq"], ["gwe"])
        self.assertEqual(self.expanded["SYSTEMD_SERVICE:gwe"], ["gwe.service"])
        self.assertEqual(self.expanded["INITSCRIPT_NAME"], ["gwe"])

    def test_what_the_recipe_fetches_is_enough_to_install(self):
        names = re.findall(r"file://(\S+);subdir=", self.assigned["SRC_URI", ""])
        # Without its build script the agent builds as well, and is larger.
        self.assertLessEqual({"src", "build.rs", "Cargo.toml", "Cargo.lock"}, set(names))
        with tempfile.TemporaryDirectory() as scratch:
            source, tree, binary = (pathlib.Path(scratch, name) for name in ("source", "tree", "stand-in"))
            for path in (binary, binary.with_name("hosting-core")):
                path.write_text("#!/bin/sh\n")
            source.mkdir()
            for name in names:
                fetched = (RECIPE.parent / "files" / name).resolve(strict=True)
                shutil.copytree(fetched, source / name) if fetched.is_dir() else shutil.copy(fetched, source / name)
            for init in ("sysv", "systemd"):
                done = subprocess.run(["make", "-C", str(source), "install", f"DESTDIR={tree}", f"INIT={init}", f"BINARY={binary}"], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
            packaged = self.assigned["FILES", "${PN}-gmq"].split() + self.assigned["CONFFILES", "${PN}"].split()
            for path in packaged:
                for variable, value in (("${bindir}", "/usr/bin"), ("${sysconfdir}", "/etc")):
                    path = path.replace(variable, value)
                self.assertTrue((tree / path.lstrip("/")).is_file(), f"{path} is packaged and make install makes it")


class OldestRust(unittest.TestCase):
    """scarthgap's cargo reads the manifest of every crate that it vendors, those of other systems too."""

    def test_it_can_read_the_lock_file(self):
        self.assertIn("\nversion = 3\n", (sandbox.REPOSITORY / "Cargo.lock").read_text())

    def test_it_can_read_every_crate_and_build_those_with_openssl(self):
        if not shutil.which("cargo"):
            sandbox.skip("needs cargo")
        metadata = json.loads(self.cargo("metadata", "--all-features", "--format-version", "1"))
        new = [package["id"] for package in metadata["packages"] if package["edition"] not in ("2015", "2018", "2021")]
        self.assertEqual(new, [], "Rust 1.75 cannot read these manifests")
        built = set(self.cargo("tree", "--no-default-features", "--features", "tls-openssl", "--edges", "normal,build", "--target",
                               "x86_64-unknown-linux-gnu", "--prefix", "none", "--format", "{p}").splitlines())
        built = {tuple(line.split()[:2]) for line in built if line.strip()}
        self.assertIn("openssl", {name for name, _ in built})
        for package in metadata["packages"]:
            if (package["name"], f"v{package['version']}") in built and package["rust_version"]:
                needed = tuple(map(int, package["rust_version"].split(".")[:2]))
                self.assertLessEqual(needed, OLDEST_RUST, f"{package['name']} {package['version']}")

    def cargo(self, *arguments):
        done = subprocess.run(["cargo", *arguments, "--locked"], cwd=sandbox.REPOSITORY, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


if __name__ == "__main__":
    unittest.main()
