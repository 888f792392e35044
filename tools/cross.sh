#!/bin/sh
# Builds the agent for another architecture with Debian's cross compiler and Debian's Rust, which is unpacked under target/cross and not
# installed. What an image would strip is stripped: target/cross/TARGET/FEATURES/gwe. Beside it sysroot/, the C library and OpenSSL of the
# target, which qemu-user runs it with.
# Usage: cross.sh armv7|aarch64 [none|tls-openssl]
# Exit status 2: this machine lacks something, which is named.

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tools/build.sh
. tools/build.sh

target=${1:-}
features=${2:-tls-openssl}
with=$(cargo_features "$features" none tls-openssl) || exit 1
cross_target "$target" || exit

folder=$PWD/target/cross/$target
use_sysroot "$folder/sysroot" || exit
use_compiler "$folder/rust" "$debian" rustc-web libstd-rust-web-dev "libstd-rust-web-dev:$debian" || exit 2

# shellcheck disable=SC2086 # two words, or none
tools/cargo.sh build --quiet --release --locked --no-default-features $with --target "$triple" --target-dir "$folder/build"
deliver "$folder/build/$triple/release/gwe" "$folder/$features" "$gnu-strip"
