#!/usr/bin/env python3
"""Prints what of src/ nothing uses, one a line, and ends with 1 where there is something. In a library rustc takes for used whatever is `pub`:
here it compiles the same files as one program, and hosting's core beside it. What tests/ or fuzz/ name is theirs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target" / "unused"
CORE = ROOT / "src/hosting/core/main.rs"
# Without TLS, which takes minutes to build; what that uses of the agent is used without it, too (src/http/tls/none.rs).
FEATURES = "ddi,developer-tools"


def lay_out():
    """A package whose one program has the rooms as private modules; its files are the very ones of src/."""
    shutil.rmtree(PROGRAM, ignore_errors=True)
    (PROGRAM / "src").mkdir(parents=True)
    for name in ("Cargo.toml", "Cargo.lock", "README.md", "build.rs"):
        (PROGRAM / name).symlink_to(ROOT / name)
    rooms = (ROOT / "src/lib.rs").read_text().replace("pub mod ", "mod ")
    main = (ROOT / "src/main.rs").read_text().replace("use gwe::cli;\n", "").replace("use gwe::", "use crate::")
    (PROGRAM / "src/main.rs").write_text(rooms + re.sub(r"^//!.*\n", "", main, flags=re.M))
    for room in (path for path in (ROOT / "src").iterdir() if path.is_dir()):
        (PROGRAM / "src" / room.name).symlink_to(room)


def messages(command):
    """What rustc has to say, without what cargo packs it into."""
    done = subprocess.run(command, cwd=PROGRAM, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines() if line.startswith("{")]
    return [line.get("message") if "reason" in line else line for line in lines]


def unused(command):
    """(file, line, name) → whether it can be seen from outside its file: what cannot is judged in every build."""
    found = {}
    for message in filter(None, messages(command)):
        if (message.get("code") or {}).get("code") not in ("dead_code", "unused_imports"):
            continue
        for span in (span for span in message["spans"] if span["is_primary"]):
            text = span["text"][0]
            name = text["text"][text["highlight_start"] - 1 : text["highlight_end"] - 1].split("::")[-1].split(" ")[0]
            is_open = text["text"].lstrip().startswith("pub ") or message["message"].startswith("variant")
            path = os.path.normpath(PROGRAM / span["file_name"]).replace(f"{PROGRAM}/", f"{ROOT}/")
            found[os.path.relpath(path, ROOT), span["line_start"], name] = is_open
    return found


def main():
    lay_out()
    cargo = ["cargo", "check", "--quiet", "--locked", "--message-format=json", "--no-default-features"]
    of_agent = unused(cargo + ["--features", FEATURES, "--target-dir", ROOT / "target"])
    rustc = ["rustc", "--edition", "2021", "-C", "panic=abort", "--force-warn", "dead_code", "--error-format=json"]
    of_core = unused(rustc + ["--emit=metadata", "-o", PROGRAM / "core", CORE])
    shared = re.findall(r'path = "\.\./(.*)"', CORE.read_text())
    of_core = {place: is_open for place, is_open in of_core.items() if place in of_agent or "/core/" in place[0]}
    of_agent = {place: is_open for place, is_open in of_agent.items() if place in of_core or place[0] not in
                [f"src/hosting/{name}" for name in shared]}
    theirs = [path.read_text() for folder in ("tests", "fuzz/fuzz_targets") for path in (ROOT / folder).rglob("*.rs")]
    words = set(re.findall(r"\w+", "\n".join(theirs)))
    found = sorted(place for place, is_open in (of_core | of_agent).items() if is_open and place[2] not in words)
    for file, line, name in found:
        print(f"{file}:{line}: nothing uses {name}")
    sys.exit(bool(found))


main()
