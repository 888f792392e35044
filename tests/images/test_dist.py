"""`make dist`: the release tarball holds what ships, is the same each time, and builds with no network and nothing of this machine."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
import unittest

import sandbox

VERSION = tomllib.loads((sandbox.REPOSITORY / "Cargo.toml").read_text())["package"]["version"]


def make_dist(folder):
    done = subprocess.run([str(sandbox.REPOSITORY / "tools/dist.sh"), folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(folder, f"gwe-{VERSION}.tar.gz"), pathlib.Path(folder, f"gwe-buildroot-{VERSION}.tar.gz")


class Release(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for tool in ("cargo", "git"):
            if not shutil.which(tool):
                sandbox.skip(f"needs {tool}")
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        cls.source, cls.external = make_dist(scratch.name)

    def test_what_is_in_it(self):
        with tarfile.open(self.source) as archive:
            names = {member.name.removeprefix(f"gwe-{VERSION}/") for member in archive}
            owners = {(member.uid, member.gid, member.uname) for member in archive}
        self.assertLessEqual({"Cargo.toml", "Cargo.lock", "LICENSE", "LICENSE-CRATES", "Makefile", "mk/install.mk", "src/main.rs", ".cargo/config.toml",
                              "sbom/gwe-none.cdx.json", "sbom/gwe-tls-openssl.cdx.json", "sbom/gwe-tls-rustls.cdx.json"}, names)
        self.assertFalse([name for name in names if re.match(r"(tests|fuzz|meta-gwe|buildroot-package|target|\.venv|\.git)(/|$)", name)])
        self.assertTrue([name for name in names if name.startswith("VENDOR/openssl-0")], "Buildroot looks for VENDOR")
        self.assertEqual(owners, {(0, 0, "")})

    def test_bills_of_materials_stand_beside_it_and_in_it(self):
        sums = (self.scratch / "SHA256SUMS").read_text()
        with tarfile.open(self.source) as archive:
            for features in ("none", "tls-openssl", "tls-rustls"):
                beside = (self.scratch / f"gwe-{VERSION}-{features}.cdx.json").read_bytes()
                self.assertEqual(archive.extractfile(f"gwe-{VERSION}/sbom/gwe-{features}.cdx.json").read(), beside)
                self.assertIn(f"{hashlib.sha256(beside).hexdigest()}  gwe-{VERSION}-{features}.cdx.json\n", sums)
        self.assertIn(f"  gwe-{VERSION}.vex.cdx.json\n", sums)

    def test_the_same_commit_makes_the_same_bytes(self):
        again = make_dist(tempfile.mkdtemp(dir=self.scratch))
        self.assertEqual([hashlib.sha256(path.read_bytes()).hexdigest() for path in again],
                         [hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.source, self.external)])

    def test_the_external_tree_knows_the_hash(self):
        with tarfile.open(self.external) as archive:
            hashes = archive.extractfile(f"gwe-buildroot-{VERSION}/package/gwe/{VERSION}/gwe.hash").read().decode()
            mode = archive.getmember(f"gwe-buildroot-{VERSION}/board/gwe/post-image.sh").mode
        digest = hashlib.sha256(self.source.read_bytes()).hexdigest()
        self.assertIn(f"sha256  {digest}  {self.source.name}\n", hashes)
        self.assertRegex(hashes, r"sha256  [0-9a-f]{64}  LICENSE\n")
        self.assertRegex(hashes, r"sha256  [0-9a-f]{64}  LICENSE-CRATES\n")
        self.assertEqual(mode, 0o755)

    def test_it_builds_and_installs_with_no_network(self):
        if "GWE_LONG" not in os.environ:
            self.skipTest("make test-long")
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        subprocess.run(["tar", "-C", str(folder), "-xzf", str(self.source)], check=True)
        top = folder / f"gwe-{VERSION}"
        # A CARGO_HOME of its own: nothing that was downloaded before helps.
        environment = {"CARGO_HOME": str(folder / "cargo"), "CARGO_TARGET_DIR": str(folder / "target"), "CARGO_NET_OFFLINE": "true"}
        for command in (["cargo", "metadata", "--all-features", "--format-version", "1", "--offline", "--locked"],
                        ["cargo", "build", "--no-default-features", "--offline", "--locked"],
                        ["make", "install", f"DESTDIR={folder}/tree", "INIT=sysv", "SBOM=none", f"BINARY={folder}/target/debug/gwe"]):
            done = subprocess.run(["env", *(f"{name}={value}" for name, value in environment.items()), *command], cwd=top, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((folder / "tree/usr/share/gwe/sbom.cdx.json").read_bytes())
        done = subprocess.run([str(folder / "tree/usr/bin/gwe"), "--version"], capture_output=True, text=True)
        self.assertIn(VERSION, done.stdout)


if __name__ == "__main__":
    unittest.main()
