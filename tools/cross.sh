#!/bin/sh
# Builds the agent for another architecture with Debian's cross compiler and Debian's Rust, which is unpacked under target/cross and not
# installed. What an image would strip is stripped: target/cross/TARGET/FEATURES/gwe. Beside it sysroot/, the C library and OpenSSL of the
# target, which qemu-user runs it with.
# Usage: cross.sh armv7|aarch64 [none|tls-openssl]
# Exit status 2: this machine lacks something, which is named.

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. tools/build.sh

target=${1:-}
features=${2:-tls-openssl}
case $target in
aarch64) debian=arm64 triple=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu ;;
armv7) debian=armhf triple=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf ;;
*)
	echo "TARGET cannot be '$target': it must be armv7 or aarch64" >&2
	exit 1
	;;
esac
with=$(cargo_features "$features" none tls-openssl) || exit 1
if ! command -v "$gnu-gcc" >/dev/null; then
	echo "$gnu-gcc is missing: apt-get install gcc-$gnu libc6-dev-$debian-cross" >&2
	exit 2
fi

folder=$PWD/target/cross/$target
sysroot=$folder/sysroot
tools/debian.sh "$sysroot" "$debian" "libc6:$debian" "libgcc-s1:$debian" "libssl3:$debian" "libssl-dev:$debian" || exit 2
use_compiler "$folder/rust" "$debian" rustc-web libstd-rust-web-dev "libstd-rust-web-dev:$debian" || exit 2

upper=$(printf %s "$triple" | tr 'a-z-' 'A-Z_')
lower=$(printf %s "$triple" | tr - _)
export "CARGO_TARGET_${upper}_LINKER=$gnu-gcc"
export "CC_$lower=$gnu-gcc"
export "CFLAGS_$lower=-I$sysroot/usr/include/$gnu"
export "${upper}_OPENSSL_LIB_DIR=$sysroot/usr/lib/$gnu"
export "${upper}_OPENSSL_INCLUDE_DIR=$sysroot/usr/include"

# shellcheck disable=SC2086 # two words, or none
tools/cargo.sh build --quiet --release --locked --no-default-features $with --target "$triple" --target-dir "$folder/build"
deliver "$folder/build/$triple/release/gwe" "$folder/$features" "$gnu-strip"
