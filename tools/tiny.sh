#!/bin/sh
# Builds the agent with a standard library of its own: built for size, and with a panic that ends the program at once, without its message.
# Into target/tiny/FEATURES/gwe, for another processor into target/tiny/TARGET/FEATURES/gwe, stripped. Cargo calls both unstable; Debian's
# compiler and the source of its very version, unpacked under target/tiny and not installed, make them repeatable.
# Usage: tiny.sh [none|tls-openssl [armv7|aarch64]]
# EXTRA_RUSTFLAGS adds flags of the compiler. Exit status 2: this machine lacks something, which is named.

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tools/build.sh
. tools/build.sh

features=${1:-tls-openssl}
target=${2:-}
with=$(cargo_features "$features" none tls-openssl) || exit 1
folder=$PWD/target/tiny
rust=$folder/rust
native=$(dpkg --print-architecture) || {
	echo "dpkg is missing: what is unpacked here are packages of Debian" >&2
	exit 2
}
if ! command -v cc >/dev/null; then
	echo "cc is missing: apt-get install gcc libc6-dev" >&2
	exit 2
fi
strip="strip"
if [ -n "$target" ]; then
	cross_target "$target" || exit
	folder=$folder/$target
	strip=$gnu-strip
elif [ "$features" = tls-openssl ] && ! pkg-config --exists openssl 2>/dev/null; then
	echo "OpenSSL's headers or pkg-config are missing: apt-get install pkg-config libssl-dev" >&2
	exit 2
fi
use_cargo "$rust" "$native" rust-web-src || exit 2
export CARGO="$rust/usr/bin/cargo"
export RUSTC_BOOTSTRAP=1
# Nothing unwinds, so there are no tables for it; and no place of a panic either: nothing would print it.
export RUSTFLAGS="-Zunstable-options -Cpanic=immediate-abort -Cforce-unwind-tables=no -Zlocation-detail=none ${EXTRA_RUSTFLAGS:-}"
if [ -n "$target" ]; then
	use_sysroot "$PWD/target/cross/$target/sysroot" || exit
	use_core "$triple" "$rust" "$folder/core" ""
else
	triple=$("$RUSTC" -vV | sed -n 's/^host: //p')
fi

# shellcheck disable=SC2086 # two words, or none
tools/cargo.sh build --quiet --release --locked --no-default-features $with --target "$triple" --target-dir "$folder/build" \
	-Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
deliver "$folder/build/$triple/release/gwe" "$folder/$features" "$strip"
