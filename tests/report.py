#!/usr/bin/env python3
"""What is said at the end of a test run.

report.py failed LOG…       the tests that failed, and those that passed when they were run again
report.py longest LOG…      the ten tests that took longest
report.py left LOG…         the tests that make test leaves to make test-long
report.py skipped LIST      what was skipped, and what would bring it
report.py names LIST        the tests that were skipped, one a line, as the test runner takes them
"""

import pathlib
import re
import sys

COUNT = 10
# So many names of tests are shown beside a reason.
SHOWN = 3

# What a reason needs, and what brings it on Debian; the first that fits is said.
BRINGS = [
    ("supervisord of /usr/bin/python3", "apt-get install supervisor"),
    ("supervisord", "apt-get install python3-venv; make then brings supervisord itself"),
    ("Python with requests", "apt-get install python3-venv; make then brings the package itself"),
    ("root", "run as root"),
    ("right to", "run as root"),
    ("mount namespace", "run as root"),
    ("curl", "apt-get install curl"),
    ("openssl", "apt-get install openssl"),
    ("minisign", "apt-get install minisign"),
    ("shellcheck", "apt-get install shellcheck"),
    ("busybox", "apt-get install busybox-static"),
    ("systemd-analyze", "apt-get install systemd"),
    ("node", "apt-get install nodejs"),
    ("groff", "apt-get install groff"),
    ("free", "apt-get install procps"),
    ("python3-venv", "apt-get install python3-venv"),
    ("git checkout", "run in a clone, with git"),
    ("C compiler", "apt-get install gcc libc6-dev"),
]


def longest(logs):
    found = []
    for log in logs:
        for line in pathlib.Path(log).read_text(errors="replace").splitlines():
            match = re.search(r"test (\S+)(?: - should panic)? \.\.\. .*<(\d+\.\d+)s>", line)
            if match:
                found.append((float(match[2]), match[1]))
    if not found:
        return
    found.sort(reverse=True)
    print(f"\n=== the longest of {len(found)} tests, which took {sum(seconds for seconds, _ in found):.0f} s one after the other")
    for seconds, name in found[:COUNT]:
        print(f"{seconds:8.1f} s  {name}")


def failed(logs):
    texts = {log.stem: log.read_text(errors="replace") for log in map(pathlib.Path, logs)}
    fell = {stem: set(re.findall(r"^test (\S+::\S+) .*FAILED", text, re.M)) for stem, text in texts.items()}
    for stem, names in fell.items():
        # What a test prints may stand between its name and its "ok": those are told apart by who failed again, in a run that came to its end.
        again = texts.get(f"{stem}-again", "")
        passed_alone = names - fell[f"{stem}-again"] if "\ntest result: " in again else set()
        for name in sorted(names) if not stem.endswith("-again") else []:
            print(f"failed beside the others, passed alone: {name}" if name in passed_alone else f"failed: {name}")


def left(logs):
    lines = [line for log in logs for line in pathlib.Path(log).read_text(errors="replace").splitlines()]
    names = sorted({match[1] for line in lines if (match := re.match(r"test (\S+) \.\.\. ignored, make test-long", line))})
    if names:
        print(f"\n=== left to make test-long: {', '.join(names)}")


def entries(path):
    """(test, why) of each line."""
    lines = pathlib.Path(path).read_text(errors="replace").splitlines()
    return [tuple(line.split("\t", 1)) for line in lines if "\t" in line]


def skipped(path):
    why = {}
    for test, reason in entries(path):
        why.setdefault(reason, set()).add(test)
    if not why:
        print("\n=== nothing was skipped")
        return
    print("\n=== skipped, and what would bring it")
    for reason, tests in sorted(why.items()):
        brings = next((how for word, how in BRINGS if word in reason), None)
        names = sorted(tests)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        print(f"skipped: {reason}{f' ({brings})' if brings else ''}: {', '.join(names[:SHOWN])}{more}")


def names(path):
    print("\n".join(sorted({test for test, _ in entries(path) if "::" in test})))


if __name__ == "__main__":
    command, *files = sys.argv[1:]
    if command in ("failed", "longest", "left"):
        {"failed": failed, "longest": longest, "left": left}[command](files)
    else:
        {"skipped": skipped, "names": names}[command](files[0])
