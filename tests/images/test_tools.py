"""What tools/ says on a machine that lacks something: its name, and status 2."""

import os
import pathlib
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
        rows = (({}, "dpkg"), ({"dpkg": "echo amd64"}, "gcc"), ({"cc": ""}, "libssl-dev"))
        for stubs, wanted in rows:
            for name, script in stubs.items():
                self.stub(name, script)
            done = self.run_with("tools/tiny.sh tls-openssl", str(self.bin))
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(wanted, done.stderr)


if __name__ == "__main__":
    unittest.main()
