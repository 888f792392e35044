"""Bills of materials, licence texts and what is known of vulnerabilities, against cargo's own plan of each build and the published schema."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

import cyclonedx.schema
import jsonschema
import referencing

import bitbake
import sandbox
import test_recipe

sys.path.insert(0, str(sandbox.REPOSITORY / "tools"))
sys.dont_write_bytecode, written = True, sys.dont_write_bytecode
import sbom  # noqa: E402
sys.dont_write_bytecode = written

LOCK = tomllib.loads((sandbox.REPOSITORY / "Cargo.lock").read_text())
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf", "x86_64-unknown-linux-musl",
           "aarch64-unknown-linux-musl", "armv7-unknown-linux-musleabihf")
VEX = json.loads((sandbox.REPOSITORY / "configs/product/gwe.vex.cdx.json").read_text())
MAKEFILE = """
qstrip = $(1)
cargo-package =
include gwe.mk
show:
	@echo '$(GWE_LICENSE)'
"""


def validator():
    """CycloneDX 1.6's schema, with those that it refers to."""
    folder = pathlib.Path(cyclonedx.schema.__file__).parent / "_res"
    load = lambda name: json.loads((folder / name).read_text())  # noqa: E731
    resources = [(name, referencing.Resource.from_contents(load(f"{kind}.SNAPSHOT.schema.json")))
                 for kind in ("spdx", "jsf-0.82") for name in (f"http://cyclonedx.org/schema/{kind}.SNAPSHOT.schema.json", f"{kind}.SNAPSHOT.schema.json")]
    return jsonschema.Draft7Validator(load("bom-1.6.SNAPSHOT.schema.json"), registry=referencing.Registry().with_resources(resources))


def planned(features, target):
    """What cargo would compile for the program and its procedural macros, and not for build scripts: (name, version)."""
    chosen = [] if features == "none" else ["--features", features]
    done = subprocess.run(["cargo", "build", "--locked", "--release", "--no-default-features", *chosen, "--target", target, "--unit-graph", "-Zunstable-options"],
                          cwd=sandbox.REPOSITORY, capture_output=True, text=True, env={**os.environ, "RUSTC_BOOTSTRAP": "1"}, check=True)
    graph = json.loads(done.stdout)
    units, found, reached = graph["units"], set(), list(graph["roots"])
    seen = set(reached)
    while reached:
        unit = units[reached.pop()]
        found.add(unit["pkg_id"])
        for dependency in unit["dependencies"]:
            below = units[dependency["index"]]
            if dependency["index"] not in seen and below["mode"] != "run-custom-build":
                seen.add(dependency["index"])
                reached.append(dependency["index"])
    # registry+https://…#name@version, or path+file:///…#version
    named = [re.search(r"#(?:(.+)@)?([^@]+)$", package) for package in found]
    return {(match[1] or "gwe", match[2]) for match in named}


def elected(expression):
    """The licences that have to be named: Apache-2.0 where it is offered, all that an AND joins."""
    parts = re.split(r" AND (?![^()]*\))", expression)
    if len(parts) > 1:
        return set().union(*(elected(part.strip("()") if " OR " in part else part) for part in parts))
    choices = expression.split(" OR ")
    return {"Apache-2.0"} if "Apache-2.0" in choices else {choices[0]} if len(choices) == 1 else {expression}


class Bills(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("cargo"):
            raise unittest.SkipTest("skipped: needs cargo")
        cls.bills = {features: sbom.bill(features) for features in sbom.FEATURE_SETS}
        cls.schema = validator()

    def crates(self, features):
        return {(component["name"], component["version"]) for component in self.bills[features]["components"]}

    def test_they_are_cyclonedx_1_6(self):
        for name, document in {**self.bills, "vex": VEX}.items():
            self.assertEqual([error.message for error in self.schema.iter_errors(document)], [], name)
        broken = {**self.bills["none"], "components": [{"name": "a"}]}
        self.assertTrue(list(self.schema.iter_errors(broken)), "the check can fail")

    def test_each_has_exactly_the_crates_that_cargo_would_build_for_every_target(self):
        for features in sbom.FEATURE_SETS:
            for target in TARGETS:
                with self.subTest(features=features, target=target):
                    self.assertEqual(self.crates(features) | {("gwe", LOCK_VERSION)}, planned(features, target))
                    self.assertEqual({crate for crate in sbom.edges(features, target)}, planned(features, target))
        self.assertIn("openssl", {name for name, _ in self.crates("tls-openssl")})
        self.assertNotIn("openssl", {name for name, _ in self.crates("tls-rustls")})

    def test_every_component_says_what_it_is(self):
        sums = {(package["name"], package["version"]): package.get("checksum") for package in LOCK["package"]}
        for features, document in self.bills.items():
            for component in document["components"]:
                self.assertEqual(component["purl"], f"pkg:cargo/{component['name']}@{component['version']}")
                self.assertEqual(component["hashes"], [{"alg": "SHA-256", "content": sums[component["name"], component["version"]]}])
                self.assertNotIn("/", component["licenses"][0]["expression"])
            refs = {component["bom-ref"] for component in document["components"]} | {document["metadata"]["component"]["bom-ref"]}
            self.assertEqual({entry["ref"] for entry in document["dependencies"]}, refs)
            self.assertLessEqual({other for entry in document["dependencies"] for other in entry["dependsOn"]}, refs)
            self.assertEqual(document["metadata"]["component"]["properties"], [{"name": "gwe:features", "value": features}])

    def test_the_same_source_makes_the_same_bytes(self):
        self.assertEqual(sbom.bill("tls-openssl"), self.bills["tls-openssl"])
        self.assertEqual(len({document["serialNumber"] for document in self.bills.values()}), 3)

    def test_it_is_installed_where_asked_for(self):
        with tempfile.TemporaryDirectory() as tree:
            binary = pathlib.Path(tree, "stand-in")
            binary.write_text("")
            binary.with_name("hosting-core").write_text("")
            sandbox.make_install(tree, f"BINARY={binary}", "DOCS=no")
            self.assertFalse(pathlib.Path(tree, "usr/share/gwe/sbom.cdx.json").exists())
            sandbox.make_install(tree, f"BINARY={binary}", "DOCS=no", "SBOM=tls-openssl")
            self.assertEqual(json.loads(pathlib.Path(tree, "usr/share/gwe/sbom.cdx.json").read_text()), self.bills["tls-openssl"])
            self.assertEqual(json.loads(pathlib.Path(tree, "usr/share/gwe/vex.cdx.json").read_text()), VEX)

    def test_the_licence_texts_are_those_of_the_crates(self):
        self.assertEqual((sandbox.REPOSITORY / "LICENSE-CRATES").read_text(), sbom.licences(), "make licences")

    def test_the_recipes_name_every_licence(self):
        for features in sbom.FEATURE_SETS:
            wanted = {"Apache-2.0"}.union(*(elected(component["licenses"][0]["expression"]) for component in self.bills[features]["components"]))
            chosen = [] if features == "none" else [features]
            recipe = bitbake.Recipe(test_recipe.RECIPE, {**test_recipe.COMMON, **test_recipe.RELEASES["wrynose"], "WORKDIR": "/work"})
            recipe.use(chosen)
            self.assertEqual(set(recipe.getVar("LICENSE").split(" & ")), wanted, features)
            with tempfile.TemporaryDirectory() as scratch:
                shutil.copy(sandbox.REPOSITORY / "buildroot-package/package/gwe/gwe.mk", scratch)
                pathlib.Path(scratch, "Makefile").write_text(MAKEFILE)
                tls = features.removeprefix("tls-").upper()
                said = subprocess.run(["make", "-s", "-C", scratch, "show", f"BR2_PACKAGE_GWE_TLS_{tls}=y"], capture_output=True, text=True, check=True).stdout
            self.assertEqual(set(said.strip().replace(" ,", ",").replace(" (crates)", "").split(", ")), wanted, features)

    def test_what_is_known_of_vulnerabilities_is_about_what_is_built_in(self):
        locked = {f"pkg:cargo/{package['name']}@{package['version']}" for package in LOCK["package"]}
        built = {component["bom-ref"] for document in self.bills.values() for component in document["components"]}
        described = {component["bom-ref"] for component in VEX["components"]}
        self.assertLessEqual(described, locked & built, "a version has changed: look at each statement again")
        self.assertEqual(described, {entry["ref"] for vulnerability in VEX["vulnerabilities"] for entry in vulnerability["affects"]})
        self.assertEqual(VEX["metadata"]["component"]["purl"], self.bills["none"]["metadata"]["component"]["purl"])


LOCK_VERSION = next(package["version"] for package in LOCK["package"] if package["name"] == "gwe")

if __name__ == "__main__":
    unittest.main()
