#!/bin/sh
# cargo for builds that ship: what it builds names no folder of this machine, so that the same source makes the same bytes wherever it
# is built. The source, the crates (from the registry or vendored) and the standard library's source get names of their own.
# Usage: cargo.sh ARGUMENT…
# RUSTFLAGS of the environment count; rustflags of a target's table in cargo's configuration do not, since cargo takes them from one place only.
# CARGO, RUSTC: the programs to run.

set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
home=${CARGO_HOME:-$HOME/.cargo}

separator=$(printf '\037')
flags=${CARGO_ENCODED_RUSTFLAGS:-}
add() {
	flags="$flags${flags:+$separator}$1"
}
if [ -z "$flags" ]; then
	for flag in ${RUSTFLAGS:-}; do
		add "$flag"
	done
fi

# The last one that fits counts.
add "--remap-path-prefix=$home=/cargo"
add "--remap-path-prefix=$PWD=/gwe"
add "--remap-path-prefix=$PWD/VENDOR=/crates"
# The registry's folder carries a number; where nothing was fetched yet, it is not there to be named.
if [ ! -d VENDOR ] && [ ! -d "$home/registry/src" ]; then
	"$cargo" fetch --quiet --locked
fi
for folder in "$home"/registry/src/*; do
	add "--remap-path-prefix=$folder=/crates"
done
# Where the standard library's source is installed, its names are real ones too.
version=$("${RUSTC:-rustc}" -vV)
commit=$(printf '%s\n' "$version" | sed -n 's/^commit-hash: //p')
add "--remap-path-prefix=$("${RUSTC:-rustc}" --print sysroot)/lib/rustlib/src/rust=/rustc/$commit"

export CARGO_ENCODED_RUSTFLAGS="$flags"
exec "$cargo" "$@"
