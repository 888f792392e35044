#!/usr/bin/env bash
# Usage: all.sh TARGET… [-- TARGET…]   Runs these targets of the Makefile as parts of one test run, those before the -- beside those behind it;
# then prints their times, the longest tests, and what was skipped with what would bring it.
set -uo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/parts.sh
. tests/parts.sh

export GWE_TEST_LOGS=$PWD/target/test
export GWE_SKIPPED=$GWE_TEST_LOGS/skipped
rm -rf "$GWE_TEST_LOGS"
mkdir -p "$GWE_TEST_LOGS"
: >"$GWE_SKIPPED"

run() {
	local target
	for target in "$@"; do part "$target" "${MAKE:-make}" --no-print-directory "$target"; done
}

# What waits most of the time goes beside what computes.
beside=()
for argument in "$@"; do
	shift
	if [ "$argument" = -- ]; then break; fi
	beside+=("$argument")
done
if [ $# -gt 0 ]; then
	echo "beside what follows: ${beside[*]}"
	run "${beside[@]}" >"$GWE_TEST_LOGS/beside" 2>&1 &
	run "$@"
	wait
	cat "$GWE_TEST_LOGS/beside"
else
	run "${beside[@]}"
fi

status=0
parts_end || status=1
tests/report.py failed "$GWE_TEST_LOGS"/*.log
tests/report.py longest "$GWE_TEST_LOGS"/*.log
tests/report.py left "$GWE_TEST_LOGS"/*.log
tests/report.py skipped "$GWE_SKIPPED"
exit "$status"
