#!/bin/sh
# Builds the agent with a standard library of its own: built for size, and with a panic that ends the program at once, without its message.
# Into target/tiny/FEATURES/gwe, stripped. Cargo calls both unstable; Debian's compiler and the source of its very version, unpacked under
# target/tiny and not installed, make them repeatable.
# Usage: tiny.sh [none|tls-openssl]
# EXTRA_RUSTFLAGS adds flags of the compiler. Exit status 2: this machine lacks something, which is named.

set -eu

features=${1:-tls-openssl}
case $features in
none) with= ;;
tls-openssl) with="--features tls-openssl" ;;
*)
	echo "FEATURES cannot be '$features': it must be none or tls-openssl" >&2
	exit 1
	;;
esac

cd "$(dirname "$0")/.."
folder=$PWD/target/tiny
rust=$folder/rust
native=$(dpkg --print-architecture) || exit 2
tools/debian.sh "$rust" "$native" rustc-web cargo-web libstd-rust-web-dev rust-web-src 'libstd-rust-web-*' \
	'libllvm*' 'libedit*' 'libffi*' 'libz3*' 'libxml2*' 'libicu*' 'libbsd*' 'libmd*' 'libgit2*' 'libssh2*' 'libcurl4*' || exit 2

libraries=$(dirname "$rust"/usr/lib/*/librustc_driver-*.so)
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export RUSTC="$rust/usr/bin/rustc" RUSTC_BOOTSTRAP=1
triple=$("$RUSTC" -vV | sed -n 's/^host: //p')
# No place of a panic either: nothing would print it.
export RUSTFLAGS="-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none ${EXTRA_RUSTFLAGS:-}"

# shellcheck disable=SC2086 # two words, or none
"$rust/usr/bin/cargo" build --quiet --release --locked --no-default-features $with --target "$triple" --target-dir "$folder/build" \
	-Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
mkdir -p "$folder/$features"
strip -o "$folder/$features/gwe" "$folder/build/$triple/release/gwe"
printf '%s: %s bytes\n' "target/tiny/$features/gwe" "$(wc -c <"$folder/$features/gwe")"
