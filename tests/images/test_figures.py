"""Sizes in the documents come from one place, docs/footprint.md: what says one elsewhere is held against its tables, or may not say it."""

import pathlib
import re
import unittest

import sandbox

DOCS = [path for pattern in ("*.md", "docs/*.md", "docs/man/*", "meta-gwe/*.md", "buildroot-package/*.md", "buildroot-package/package/gwe/Config.in")
        for path in sandbox.REPOSITORY.glob(pattern)]
FOOTPRINT = (sandbox.REPOSITORY / "docs/footprint.md").read_text()
# A number of bytes that can only be a program's.
PROGRAM = re.compile(r"\b\d,\d{3},\d{3}(?= B\b| bytes\b| *\|)")


def cells(row):
    return [cell.strip().strip("*") for cell in row.strip().strip("|").split("|")]


def number(text):
    return int(re.match(r"[\d,]+", text)[0].replace(",", ""))


def row(name):
    found = [cells(line) for line in FOOTPRINT.splitlines() if line.startswith(f"| {name} |")]
    assert len(found) == 1, f"{len(found)} rows of footprint.md begin with {name}"
    return found[0]


class Figures(unittest.TestCase):
    def setUp(self):
        none, openssl, rustls = (number(cell) for cell in row("binary, stripped, kB")[1:4])
        self.kb = {"none": none, "tls-openssl": openssl, "tls-rustls": rustls}

    def test_the_two_tables_of_the_one_place_agree(self):
        none, openssl = (number(cell) for cell in row("x86-64")[1:3])
        self.assertEqual((round(none / 1000), round(openssl / 1000)), (self.kb["none"], self.kb["tls-openssl"]))

    def test_no_other_document_has_the_size_of_a_program(self):
        wrong = [f"{path.name}: {match[0]}" for path in DOCS if path.name not in ("footprint.md", "CHANGELOG.md")
                 for match in PROGRAM.finditer(path.read_text())]
        self.assertEqual(wrong, [], "docs/footprint.md is the place for it: say what it is for, and link there")
        self.assertTrue(PROGRAM.search("| binary | 1 file, 1,196,640 B | the same |"), "the check can fail")

    def test_what_tls_costs_is_the_difference_of_the_table(self):
        text = (sandbox.REPOSITORY / "docs/dependencies.md").read_text()
        openssl = int(re.search(r"^\| `tls-openssl` .*\| some (\d+) kB \|$", text, re.M)[1])
        rustls = float(re.search(r"^\| `tls-rustls` .*\| some ([\d.]+) MB \|$", text, re.M)[1])
        self.assertLessEqual(abs(openssl - (self.kb["tls-openssl"] - self.kb["none"])), 10)
        self.assertLessEqual(abs(rustls * 1000 - (self.kb["tls-rustls"] - self.kb["none"])), 100)
        menu = (sandbox.REPOSITORY / "buildroot-package/package/gwe/Config.in").read_text()
        self.assertEqual(float(re.search(r"grows by some ([\d.]+) MB", menu)[1]), rustls)


if __name__ == "__main__":
    unittest.main()
