"""What tools/ says on a machine that lacks something: its name, and status 2."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import sandbox

TOOLS = sandbox.REPOSITORY / "tools"


class Missing(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.bin = pathlib.Path(scratch.name)

    def stub(self, name, script):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run_with(self, command, path):
        return subprocess.run(["/bin/sh", "-c", command], cwd=sandbox.REPOSITORY, env={**os.environ, "PATH": path}, capture_output=True, text=True)

    def test_a_library_that_the_compiler_lacks(self):
        self.stub("rustc", "")
        self.stub("ldd", r"printf '\tlibm.so.6 => /lib/libm.so.6 (0x1)\n\tlibmbedtls.so.14 => not found\n\tlibllhttp.so.9 => not found\n'")
        done = self.run_with(f". tools/build.sh; has_libraries {self.bin}/rustc", f"{self.bin}:{os.environ['PATH']}")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("rustc cannot run here without libllhttp.so.9 libmbedtls.so.14:", done.stderr)
        self.stub("ldd", r"printf '\tlibm.so.6 => /lib/libm.so.6 (0x1)\n'")
        self.assertEqual(self.run_with(f". tools/build.sh; has_libraries {self.bin}/rustc", f"{self.bin}:{os.environ['PATH']}").returncode, 0)

    def test_a_program_or_headers(self):
        for name in ("dirname", "cat"):
            (self.bin / name).symlink_to(f"/usr/bin/{name}")
        rows = (
            ({}, "", 2, "dpkg"), ({"dpkg": "echo amd64"}, "", 2, "gcc"), ({"cc": ""}, "", 2, "libssl-dev"),
            # OpenSSL of another processor is unpacked: only the compiler is this machine's.
            ({}, "aarch64", 2, "aarch64-linux-gnu-gcc is missing: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross"),
            ({}, "armv7", 2, "arm-linux-gnueabihf-gcc is missing: apt-get install gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"),
            ({}, "mips", 1, "TARGET cannot be 'mips': it must be armv7 or aarch64"),
        )
        for stubs, target, status, wanted in rows:
            for name, script in stubs.items():
                self.stub(name, script)
            done = self.run_with(f"tools/tiny.sh tls-openssl {target}", str(self.bin))
            self.assertEqual((done.returncode, wanted in done.stderr), (status, True), done.stderr)

    def test_what_the_static_build_lacks_and_what_it_cannot_be(self):
        for name in ("dirname", "tr"):
            (self.bin / name).symlink_to(f"/usr/bin/{name}")
        rows = (
            ({}, "mips", 1, "TARGET cannot be 'mips': it must be x86_64, aarch64 or armv7"),
            # The image's OpenSSL would be a library of the image.
            ({}, "armv7 tls-openssl", 1, "FEATURES cannot be 'tls-openssl': it must be none or tls-rustls"),
            ({}, "armv7", 2, "dpkg is missing"),
            ({"dpkg": "echo amd64"}, "armv7", 2, "cc is missing"),
            ({"cc": ""}, "armv7", 2, "arm-linux-gnueabihf-gcc is missing: apt-get install gcc libc6-dev gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"),
            ({}, "x86_64", 2, "x86_64-linux-gnu-gcc is missing: apt-get install gcc libc6-dev gcc-x86-64-linux-gnu "),
        )
        for stubs, arguments, status, wanted in rows:
            for name, script in stubs.items():
                self.stub(name, script)
            done = self.run_with(f"tools/static.sh {arguments}", str(self.bin))
            self.assertEqual((done.returncode, wanted in done.stderr), (status, True), done.stderr)


class BuildScript(unittest.TestCase):
    """build.rs compiles what the agent carries in itself, for every target or with a word that says why not."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which("rustc"):
            raise unittest.SkipTest("skipped: needs rustc")
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        subprocess.run(["rustc", "--edition", "2021", "-o", str(cls.folder / "build"), "build.rs"], cwd=sandbox.REPOSITORY, check=True)
        version = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
        cls.host = version.split("host: ")[1].split()[0]

    def build(self, target, architecture, **more):
        environment = {**os.environ, "OUT_DIR": str(self.folder), "HOST": self.host, "TARGET": target, "CARGO_CFG_TARGET_ARCH": architecture,
                       "CARGO_CFG_TARGET_OS": "linux", "CARGO_CFG_TARGET_ENV": "musl" if "musl" in target else "gnu", "PROFILE": "debug", **more}
        done = subprocess.run([str(self.folder / "build")], cwd=sandbox.REPOSITORY, env=environment, capture_output=True, text=True)
        return done, (self.folder / "sleeper").stat().st_size if done.returncode == 0 else None

    def test_a_target_without_a_prebuilt_library_has_the_sleeper_too(self):
        architecture = self.host.split("-")[0]
        for target in (self.host, f"{architecture}-unknown-linux-musl"):
            done, size = self.build(target, architecture)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(size, 500, target)

    def test_where_it_cannot_be_built_the_build_ends_and_says_why(self):
        for target, architecture, why in (("riscv64gc-unknown-linux-gnu", "riscv64", "not of riscv64"), ("aarch64-nowhere", "aarch64", "aarch64-nowhere")):
            done, _ = self.build(target, architecture)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(why, done.stderr)
            self.assertIn("GWE_WITHOUT_SLEEPER=1", done.stderr)
            self.assertEqual(self.build(target, architecture, GWE_WITHOUT_SLEEPER="1", GWE_WITHOUT_CORE="1")[1], 0)
            done, _ = self.build(target, architecture, GWE_WITHOUT_SLEEPER="1")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("GWE_WITHOUT_CORE=1", done.stderr)


if __name__ == "__main__":
    unittest.main()
