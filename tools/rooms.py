#!/usr/bin/env python3
"""Draws the rooms of src/ and which uses which, as the `use` lines say it: docs/rooms.svg, which ARCHITECTURE.md shows.

Usage: rooms.py            prints the picture
       rooms.py FILE       writes it

An arrow is left out where others lead there too: engine uses sys, but so does what it uses. Unit tests do not count. A room that has no place in
the picture, and an arrow upwards, are errors. A test of tests/it/tidy/rooms.rs compares docs/rooms.svg with what this prints.
"""

import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "src"

# Room: column and row of its middle, and what it is for. A row is above the rows with greater numbers.
PLACES = {
    "cli": (2.6, 0, "arguments in, text out"),
    "engine": (2.6, 1, "the timer, and a check-in"),
    "queue": (4.9, 1, "gmq"),
    "install": (1.2, 2, "the transaction"),
    "ddi": (3.8, 2, "hawkBit's DDI"),
    "device": (4.9, 2, "the Device API"),
    "report": (2.4, 3, "facts in, JSON out"),
    "orders": (3.8, 3, "who gives orders"),
    "http": (3.4, 4, "what any of them needs"),
    "hosting": (0.0, 5, "supervisord of our own"),
    "app": (1.1, 5, "an app as a file"),
    "supervisor": (2.2, 5, "asks a supervisord"),
    "config": (3.4, 5, "settings, paths"),
}
# What every room may stand on.
FLOORS = {"format": "text in, values out; pure", "sys": "all that needs libc; the only unsafe, beside hosting's core"}

COLUMN, ROW, WIDTH, HEIGHT, MARGIN = 165, 92, 148, 46, 84


def code(path):
    """The lines of a source file that run on a gateway."""
    text = path.read_text()
    if path.name == "tests.rs" or "tests" in path.parts:
        return []
    text = text.split("#[cfg(test)]\nmod tests {")[0]
    return [line for line in text.splitlines() if not line.lstrip().startswith("//")]


def uses():
    """Room: the rooms whose names stand behind `crate::` in it."""
    rooms = [*PLACES, *FLOORS]
    folders = sorted(path.name for path in SOURCE.iterdir() if path.is_dir())
    if folders != sorted(rooms):
        sys.exit(f"rooms.py: give each room a place: {sorted(set(folders) ^ set(rooms))}")
    found = {room: set() for room in rooms}
    for room in rooms:
        for path in sorted((SOURCE / room).rglob("*.rs")):
            for line in code(path):
                for group in re.findall(r"crate::(\{[^}]*\}?|\w+)", line):
                    words = [re.match(r"\w*", word.strip()).group() for word in group.strip("{}").split(",")]
                    found[room].update(word for word in words if word in found and word != room)
    return found


def shown(found):
    """The arrows, without those that others make too."""

    def reached(start):
        seen, left = set(), [start]
        while left:
            for room in found[left.pop()]:
                if room not in seen:
                    seen.add(room)
                    left.append(room)
        return seen

    arrows = []
    for room in PLACES:
        for used in sorted(found[room] - set(FLOORS)):
            if PLACES[used][1] <= PLACES[room][1]:
                sys.exit(f"rooms.py: {room} uses {used}, which is not below it")
            if not any(used in reached(other) for other in found[room] - {used}):
                arrows.append((room, used))
    return arrows


def middle(room):
    column, row, _ = PLACES[room]
    return MARGIN + column * COLUMN, 40 + row * ROW


def box(x, y, width, name, words, colour):
    return [
        f'<rect x="{x - width / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="5" fill="{colour}" stroke="#456"/>',
        f'<text x="{x:.0f}" y="{y - 4:.0f}" font-weight="bold" font-size="14">{name}</text>',
        f'<text x="{x:.0f}" y="{y + 13:.0f}" font-size="11" fill="#345">{words}</text>',
    ]


def arrow(room, used):
    (x, y), (to_x, to_y) = middle(room), middle(used)
    end = f"{to_x:.0f},{to_y - HEIGHT / 2 - 2:.0f}"
    if abs(PLACES[room][0] - PLACES[used][0]) > 2 and PLACES[used][1] - PLACES[room][1] > 1:
        # Far away: out at the side, and down above its end.
        side = x + (WIDTH / 2 if to_x > x else -WIDTH / 2)
        path = f"M{side:.0f},{y:.0f} C{to_x:.0f},{y:.0f} {to_x:.0f},{y:.0f} {end}"
    else:
        start = y + HEIGHT / 2
        half = (to_y - HEIGHT / 2 - start) / 2
        path = f"M{x:.0f},{start:.0f} C{x:.0f},{start + half:.0f} {to_x:.0f},{to_y - HEIGHT / 2 - half:.0f} {end}"
    return f'<path d="{path}" fill="none" stroke="#567" stroke-width="1.4" marker-end="url(#tip)"/>'


def picture():
    rows = max(row for _, row, _ in PLACES.values())
    width = MARGIN * 2 + max(column for column, _, _ in PLACES.values()) * COLUMN
    height = 40 + (rows + 1) * ROW + len(FLOORS) * (HEIGHT + 8) - 24
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" text-anchor="middle">',
        "<title>The rooms of src/ and which uses which</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#567"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
    ]
    out += [arrow(room, used) for room, used in shown(uses())]
    for room, (_, _, words) in PLACES.items():
        out += box(*middle(room), WIDTH, room, words, "#e8f0f8")
    for index, (room, words) in enumerate(FLOORS.items()):
        out += box(width / 2, 40 + (rows + 1) * ROW - 14 + index * (HEIGHT + 8), width - 20, room, words, "#f2ede0")
    return "\n".join([*out, "</svg>", ""])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        pathlib.Path(sys.argv[1]).write_text(picture())
    else:
        sys.stdout.write(picture())
