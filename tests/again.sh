#!/usr/bin/env bash
# Usage: again.sh NAME ARGUMENT…   After `cargo-test.sh NAME ARGUMENT…` has failed: the few tests that failed beside all the others are run once
# more, one after the other. A fault of the code fails again; what passes then was disturbed by its neighbours or by the machine, and is
# named at the end of the run, to be looked into. Where nothing had compiled, or more than a few failed, nothing is tried again.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

readonly FEW=5
name=$1
shift
mapfile -t failed < <(tests/report.py failed "${GWE_TEST_LOGS:-target/test}/$name.log" | sed -n 's/^failed: //p')
if [ ${#failed[@]} = 0 ] || [ ${#failed[@]} -gt $FEW ]; then exit 1; fi
echo "once more, each alone: ${failed[*]}"
RUST_TEST_THREADS=1 exec tests/cargo-test.sh "$name-again" "$@" -- --exact "${failed[@]}"
