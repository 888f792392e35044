#!/bin/sh
# Builds one release twice: here, with the crates of the registry, and from the tarball of make dist in a folder elsewhere, with the crates
# that it carries and a home of its own. Both must be the same bytes, and name no folder of this machine.
# Usage: check-reproducible.sh FEATURES…   (none, tls-openssl, tls-rustls)

set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tools/dist.sh "$scratch/dist" >/dev/null
mkdir "$scratch/elsewhere with a space" "$scratch/home"
tar -C "$scratch/elsewhere with a space" -xzf "$scratch"/dist/gwe-[0-9]*.tar.gz
released=$(echo "$scratch/elsewhere with a space"/gwe-*)

# build FOLDER FEATURES TARGET-DIR PROGRAM: as images have it, stripped.
build() {
	with=
	[ "$2" = none ] || with="--features $2"
	# shellcheck disable=SC2086 # two words, or none
	"$1/tools/cargo.sh" build --quiet --release --locked --no-default-features $with --target-dir "$3"
	strip -o "$4" "$3/release/gwe"
}

status=0
for features in "$@"; do
	build "$PWD" "$features" "$PWD/target/reproducible" "$scratch/here"
	CARGO_HOME="$scratch/home" CARGO_NET_OFFLINE=true build "$released" "$features" "$scratch/elsewhere with a space/target" "$scratch/there"
	if ! cmp "$scratch/here" "$scratch/there"; then
		echo "$features: two builds differ"
		status=1
	fi
	for folder in "$PWD" "$scratch" "${CARGO_HOME:-$HOME/.cargo}" "$(rustc --print sysroot)"; do
		if grep -aqF "$folder/" "$scratch/here" "$scratch/there"; then
			echo "$features: names $folder"
			status=1
		fi
	done
	printf '%s: %s bytes, sha256 %s\n' "$features" "$(wc -c <"$scratch/here")" "$(sha256sum "$scratch/here" | cut -d ' ' -f 1)"
done
exit $status
