"""What the bytes of a binary are spent on: `python3 -m measure.symbols BINARY [COUNT]`, on one that is not stripped.

Groups code by the crate, and ours by the room, that a function belongs to; then lists the largest symbols. What the optimizer has inlined
counts where it was inlined to.
"""

import collections
import re
import subprocess
import sys

CRATES = r"\b(gwe::\w+|std::backtrace_rs|gimli|addr2line|rustc_demangle|minreq|miniserde|miniz_oxide|tar|openssl|rustls|aws_lc_\w+|minisign_verify|hmac_sha256|crc32fast|base64|pico_args|core|alloc|std)::"


def main():
    binary = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    symbols = list(read(binary))
    groups = collections.Counter()
    for size, kind, name in symbols:
        groups[group(name) if kind in "tT" else "data with a name"] += size
    print("bytes of code, by crate and room")
    for name, size in groups.most_common():
        print(f"{size:>9,}  {name}")
    print("\nthe largest symbols")
    for size, _, name in sorted(symbols, reverse=True)[:count]:
        print(f"{size:>9,}  {name[:140]}")


def read(binary):
    listed = subprocess.run(["nm", "--print-size", "--demangle", binary], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        parts = line.split(None, 3)
        if len(parts) == 4 and parts[2] in "tTrRdDbB":
            yield int(parts[1], 16), parts[2], parts[3]


def group(name):
    """Ours where any of ours is named: a function of the standard library made for one of our types is ours."""
    found = re.findall(CRATES, name)
    ours = [crate for crate in found if crate.startswith("gwe::")]
    return next(iter(ours or found), "other (C, and names without a crate)")


if __name__ == "__main__":
    main()
