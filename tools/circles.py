#!/usr/bin/env python3
"""Prints the circles of files that use each other in src/, one a line: read from `use` lines and from paths that begin with `crate::` or `super::`.
A folder's mod.rs and the files under it are not told apart that way: a child may use what its parent gives all children. Unit tests are left out."""

import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"


def modules():
    """Module path (a tuple) → its code."""
    found = {}
    for path in sorted(SRC.rglob("*.rs")):
        parts = path.relative_to(SRC).with_suffix("").parts
        if parts[-1].endswith("tests") or "tests" in parts:
            continue
        text = path.read_text().split("#[cfg(test)]\nmod tests {")[0]
        lines = (line for line in text.splitlines() if not line.lstrip().startswith("//"))
        found[parts[:-1] if parts[-1] == "mod" else parts] = "\n".join(lines)
    return found


def paths_of(tree, before=()):
    """The paths in a use tree: `a::{b, c::{d, e}}` has three."""
    tree = tree.strip()
    braces = re.fullmatch(r"([\w:]*?)(?:::)?\{(.*)\}", tree, re.S)
    if not braces:
        return [before + tuple(word for word in tree.split(" as ")[0].split("::") if word)]
    before += tuple(word for word in braces[1].split("::") if word)
    paths, depth, part = [], 0, ""
    for char in braces[2] + ",":
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            paths += paths_of(part, before) if part.strip() else []
            part = ""
        else:
            part += char
    return paths


def used_by(module, text, all_modules):
    """The modules that this one uses, its own parents left out."""
    words = [path for tree in re.findall(r"\buse\s+([^;]+);", text) for path in paths_of(tree)]
    words += [tuple(path.split("::")) for path in re.findall(r"\b(?:super|crate)::[\w:]*\w", text)]
    used = set()
    for path in words:
        base = {"crate": (), "super": module, "self": module}.get(path[0] if path else "")
        if base is None:
            continue
        while path and path[0] in ("crate", "self", "super"):
            base = base[:-1] if path[0] == "super" else base
            path = path[1:]
        target = base + tuple(word for word in path if word != "self")
        while target and target not in all_modules:
            target = target[:-1]
        if target and target != module[: len(target)]:
            used.add(target)
    return used


def circles(arrows):
    """Sets of modules each of which reaches all the others."""
    def reached(start):
        seen, left = set(), [start]
        while left:
            new = arrows[left.pop()] - seen
            seen |= new
            left += new
        return seen

    reach = {module: reached(module) for module in arrows}
    found = {frozenset(other for other in reach[module] if module in reach[other]) for module in arrows}
    return sorted(sorted(circle) for circle in found if len(circle) > 1)


def main():
    found = modules()
    arrows = {module: used_by(module, text, found) for module, text in found.items()}
    print(f"{len(arrows)} files, {sum(map(len, arrows.values()))} arrows", file=sys.stderr)
    for circle in circles(arrows):
        print(" ".join("::".join(module) for module in circle))


main()
