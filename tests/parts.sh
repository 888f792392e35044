# shellcheck shell=bash
# To be sourced: runs the parts of `make test` and of .ci/run one after the other, with their times. A part that fails does not keep the
# others from running; parts_end says which did, and what each took.

parts=()
parts_failed=()

# part NAME COMMAND…
part() {
	local name=$1 status=0 figures
	shift
	printf '\n=== %s: %s\n' "$name" "$*"
	figures=$(mktemp)
	local TIMEFORMAT='%0R %0U %0S'
	{ time "$@" 2>&3 </dev/null || status=$?; } 3>&2 2>"$figures"
	local seconds user system
	read -r seconds user system <"$figures"
	rm -f "$figures"
	local verdict=ok
	if [ "$status" != 0 ]; then
		verdict="failed ($status)"
		parts_failed+=("$name")
		printf '=== %s failed with %s\n' "$name" "$status"
	fi
	parts+=("$(printf '%-14s %6d s %6d s of CPU   %s' "$name" "$seconds" "$((user + system))" "$verdict")")
}

# The table of the parts; fails where one has failed.
parts_end() {
	printf '\n=== parts, %d s in all\n' "$SECONDS"
	printf '%s\n' "${parts[@]}"
	[ "${#parts_failed[@]}" = 0 ] || printf 'FAILED: %s\n' "${parts_failed[*]}"
	[ "${#parts_failed[@]}" = 0 ]
}
