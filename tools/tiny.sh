#!/bin/sh
# Builds the agent with a standard library of its own: built for size, and with a panic that ends the program at once, without its message.
# Into target/tiny/FEATURES/gwe, stripped. Cargo calls both unstable; Debian's compiler and the source of its very version, unpacked under
# target/tiny and not installed, make them repeatable.
# Usage: tiny.sh [none|tls-openssl]
# EXTRA_RUSTFLAGS adds flags of the compiler. Exit status 2: this machine lacks something, which is named.

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. tools/build.sh

features=${1:-tls-openssl}
with=$(cargo_features "$features") || exit 1
folder=$PWD/target/tiny
rust=$folder/rust
native=$(dpkg --print-architecture) || exit 2
use_compiler "$rust" "$native" rustc-web cargo-web libstd-rust-web-dev rust-web-src 'libgit2*' 'libssh2*' 'libcurl4*' || exit 2
export RUSTC_BOOTSTRAP=1
triple=$("$RUSTC" -vV | sed -n 's/^host: //p')
# No place of a panic either: nothing would print it.
export RUSTFLAGS="-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none ${EXTRA_RUSTFLAGS:-}"

# shellcheck disable=SC2086 # two words, or none
"$rust/usr/bin/cargo" build --quiet --release --locked --no-default-features $with --target "$triple" --target-dir "$folder/build" \
	-Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
deliver "$folder/build/$triple/release/gwe" "$folder/$features" strip
