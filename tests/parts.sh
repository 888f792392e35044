# shellcheck shell=bash
# To be sourced: runs the parts of `make test` and of .ci/run, with their times. A part that fails does not keep the others from running;
# parts_end says which did, and what each took. A part may run in a subshell in the background.

parts_rows=$(mktemp)
trap 'rm -f "$parts_rows"' EXIT

# part NAME COMMAND…
part() {
	local name=$1 status=0 figures seconds user system verdict=ok
	shift
	printf '\n=== %s: %s\n' "$name" "$*"
	figures=$(mktemp)
	local TIMEFORMAT='%0R %0U %0S'
	{ time "$@" 2>&3 </dev/null || status=$?; } 3>&2 2>"$figures"
	read -r seconds user system <"$figures"
	rm -f "$figures"
	[ "$status" = 0 ] || verdict="FAILED ($status)"
	printf '=== %s: %s after %d s\n' "$name" "$verdict" "$seconds"
	printf '%-14s %6d s %6d s of CPU   %s\n' "$name" "$seconds" "$((user + system))" "$verdict" >>"$parts_rows"
}

# The table of the parts; fails where one has failed.
parts_end() {
	printf '\n=== parts, %d s in all\n' "$SECONDS"
	cat "$parts_rows"
	! grep -q FAILED "$parts_rows"
}
