"""build.rs, run as cargo runs it: what it leaves beside the agent, for whom."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import sandbox

HOST = re.search("^host: (.*)$", subprocess.check_output(["rustc", "-vV"], text=True), re.M)[1]
MUSL = HOST.replace("-gnu", "-musl")


class Script(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        cls.script = cls.scratch / "build-script"
        subprocess.run(["rustc", "--edition", "2021", "-o", cls.script, sandbox.REPOSITORY / "build.rs"], check=True, timeout=120)

    def run_for(self, target, **settings):
        """The folder of what it made; cargo's own is three above it."""
        out = pathlib.Path(tempfile.mkdtemp(dir=self.scratch)) / "build/gwe/out"
        out.mkdir(parents=True)
        done = subprocess.run([self.script], cwd=sandbox.REPOSITORY, timeout=120, capture_output=True, text=True, env={
            **os.environ, "OUT_DIR": str(out), "TARGET": target, "HOST": HOST, "PROFILE": "debug", "RUSTC": "rustc", "CARGO_CFG_TARGET_OS": "linux",
            "CARGO_CFG_TARGET_ARCH": target.split("-")[0], "CARGO_CFG_TARGET_ENV": target.split("-")[-1], **settings})
        self.assertEqual(done.returncode, 0, done.stderr)
        return out

    def has_symbols(self, program):
        return " .symtab " in subprocess.check_output(["readelf", "--sections", "--wide", program], text=True)

    def test_the_core_keeps_its_symbols_for_a_packager_that_strips(self):
        # insane.bbclass of scarthgap and wrynose ends the build at a program that comes stripped: already-stripped.
        for settings, expected in (({"GWE_KEEP_SYMBOLS": "1"}, True), ({}, False)):
            out = self.run_for(HOST, **settings)
            self.assertEqual((self.has_symbols(out / "hosting-core"), self.has_symbols(out / "sleeper")), (expected, False))

    def test_a_target_without_a_prebuilt_library_takes_the_same_processor_s(self):
        # As cargo -Zbuild-std has it: rustc finds no core for the target, and knows no option of musl for the other.
        rustc = self.scratch / "rustc-without-musl"
        rustc.write_text(f"""#!/bin/sh
case "$*" in
*--target?{MUSL}*) echo "error[E0463]: can't find crate for core" >&2; exit 1 ;;
*link-self-contained*) echo "error: option -C link-self-contained is not supported on this target" >&2; exit 1 ;;
esac
exec rustc "$@"
""")
        rustc.chmod(0o755)
        out = self.run_for(MUSL, RUSTC=str(rustc))
        for name in ("hosting-core", "sleeper"):
            self.assertGreater((out / name).stat().st_size, 0)


if __name__ == "__main__":
    unittest.main()
