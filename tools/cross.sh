#!/bin/sh
# Builds the agent for another architecture with Debian's cross compiler and Debian's Rust, which is unpacked under target/cross and not
# installed. What an image would strip is stripped: target/cross/TARGET/FEATURES/gwe. Beside it sysroot/, the C library and OpenSSL of the
# target, which qemu-user runs it with.
# Usage: cross.sh armv7|aarch64 [none|tls-openssl]
# Exit status 2: this machine lacks something, which is named.

set -eu

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
case $features in
none) with= ;;
tls-openssl) with="--features tls-openssl" ;;
*)
	echo "FEATURES cannot be '$features': it must be none or tls-openssl" >&2
	exit 1
	;;
esac
if ! command -v "$gnu-gcc" >/dev/null; then
	echo "$gnu-gcc is missing: apt-get install gcc-$gnu libc6-dev-$debian-cross" >&2
	exit 2
fi

cd "$(dirname "$0")/.."
folder=$PWD/target/cross/$target
rust=$folder/rust
sysroot=$folder/sysroot
# Those of one version, because they are unpacked together; and what the compiler's own libraries need that a small system may lack.
tools/debian.sh "$rust" "$debian" rustc-web libstd-rust-web-dev "libstd-rust-web-dev:$debian" \
	'libstd-rust-web-*' 'libllvm*' 'libedit*' 'libffi*' 'libz3*' 'libxml2*' 'libicu*' 'libbsd*' 'libmd*' || exit 2
tools/debian.sh "$sysroot" "$debian" "libc6:$debian" "libgcc-s1:$debian" "libssl3:$debian" "libssl-dev:$debian" || exit 2

upper=$(printf %s "$triple" | tr 'a-z-' 'A-Z_')
lower=$(printf %s "$triple" | tr - _)
export "CARGO_TARGET_${upper}_LINKER=$gnu-gcc"
export "CC_$lower=$gnu-gcc"
export "CFLAGS_$lower=-I$sysroot/usr/include/$gnu"
export "${upper}_OPENSSL_LIB_DIR=$sysroot/usr/lib/$gnu"
export "${upper}_OPENSSL_INCLUDE_DIR=$sysroot/usr/include"
export RUSTC="$rust/usr/bin/rustc"
libraries=$(dirname "$rust"/usr/lib/*/librustc_driver-*.so)
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# shellcheck disable=SC2086 # two words, or none
cargo build --quiet --release --locked --no-default-features $with --target "$triple" --target-dir "$folder/build"
mkdir -p "$folder/$features"
"$gnu-strip" -o "$folder/$features/gwe" "$folder/build/$triple/release/gwe"
printf '%s: %s bytes\n' "target/cross/$target/$features/gwe" "$(wc -c <"$folder/$features/gwe")"
