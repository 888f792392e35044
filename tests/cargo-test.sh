#!/usr/bin/env bash
# Usage: cargo-test.sh NAME ARGUMENT…   `cargo test ARGUMENT…` with the time of each test, its words also in NAME.log of $GWE_TEST_LOGS.
set -uo pipefail

log=${GWE_TEST_LOGS:-$(dirname "$0")/../target/test}/$1.log
mkdir -p "$(dirname "$log")"
shift
# The test programs alone get what lets a stable one tell times: cargo would build everything anew with it.
before=() after=()
while [ $# -gt 0 ]; do
	if [ "$1" = -- ]; then
		shift
		after=("$@")
		break
	fi
	before+=("$1")
	shift
done
cargo test --config "target.'cfg(unix)'.runner = ['env', 'RUSTC_BOOTSTRAP=1']" "${before[@]}" \
	-- -Zunstable-options --report-time ${after[@]+"${after[@]}"} 2>&1 | tee "$log"
