"""What was measured: rows of a table, for people and as JSON."""

import json
import sys


class Table:
    """Rows in the order in which they are measured; printed at the end, as one."""

    def __init__(self, title):
        self.title = title
        self.rows = []
        self.skipped = []

    def row(self, what, figure, unit, limit=None, peer=None, note=None):
        """One figure. `limit` is the most that it may be; `peer` is text: who, and how much, in this run."""
        self.rows.append(
            {"what": what, "figure": figure, "unit": unit, "limit": limit, "met": met(figure, limit), "peer": peer, "note": note}
        )
        progress(f"{what}: {number(figure)} {unit}")

    def skip(self, what, why):
        """A row or a peer that cannot be measured here."""
        self.skipped.append({"what": what, "why": why})
        progress(f"skipped: {what}: {why}")

    def show(self, as_json):
        if as_json:
            print(json.dumps({"title": self.title, "rows": self.rows, "skipped": self.skipped}, indent=1))
            return
        lines = [("", "measured", "limit", "", "peer, in the same run")]
        for row in self.rows:
            limit = "" if row["limit"] is None else f"≤ {number(row['limit'])}"
            verdict = {True: "met", False: "MISSED", None: ""}[row["met"]]
            note = "; ".join(text for text in (row["peer"], row["note"]) if text)
            lines.append((row["what"], f"{number(row['figure'])} {row['unit']}", limit, verdict, note))
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        print(f"\n{self.title}\n")
        for line in lines:
            cells = [cell.ljust(width) for cell, width in zip(line, widths)]
            print("  ".join([*cells, line[4]]).rstrip())
        for row in self.skipped:
            print(f"skipped: {row['what']}: {row['why']}")


def met(figure, limit):
    return None if limit is None else figure <= limit


def number(value):
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def progress(text):
    print(f"  … {text}", file=sys.stderr, flush=True)
