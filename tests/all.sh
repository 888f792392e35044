#!/usr/bin/env bash
# Usage: all.sh TARGET…   Runs these targets of the Makefile as parts of one test run, then prints their times, the longest tests, and what
# was skipped with what would bring it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/parts.sh
. tests/parts.sh

export GWE_TEST_LOGS=$PWD/target/test
export GWE_SKIPPED=$GWE_TEST_LOGS/skipped
rm -rf "$GWE_TEST_LOGS"
mkdir -p "$GWE_TEST_LOGS"
: >"$GWE_SKIPPED"

for target in "$@"; do
	part "$target" "${MAKE:-make}" --no-print-directory "$target"
done
status=0
parts_end || status=1
python3 tests/report.py longest "$GWE_TEST_LOGS"/*.log
python3 tests/report.py skipped "$GWE_SKIPPED"
exit "$status"
