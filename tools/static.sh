#!/bin/sh
# Builds an agent that needs no library of the image, not even the C library: static, with musl, and with a standard library of its own as tiny.sh
# has it. Into target/static/TARGET/FEATURES/gwe, stripped, with the core of its supervisord beside it.
# Usage: static.sh x86_64|aarch64|armv7 [none|tls-rustls]
# Debian has no Rust library for musl, but its source; that, musl and the kernel's headers are unpacked below target/ and not installed. The
# compiler of C is the one for glibc, told to look at musl's headers. Exit status 2: this machine lacks something, which is named.

set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tools/build.sh
. tools/build.sh

target=${1:-}
features=${2:-none}
case $target in
x86_64) debian=amd64 triple=x86_64-unknown-linux-musl gnu=x86_64-linux-gnu musl=x86_64-linux-musl ;;
aarch64) debian=arm64 triple=aarch64-unknown-linux-musl gnu=aarch64-linux-gnu musl=aarch64-linux-musl ;;
armv7) debian=armhf triple=armv7-unknown-linux-musleabihf gnu=arm-linux-gnueabihf musl=arm-linux-musleabihf ;;
*)
	echo "TARGET cannot be '$target': it must be x86_64, aarch64 or armv7" >&2
	exit 1
	;;
esac
with=$(cargo_features "$features" none tls-rustls) || exit 1
native=$(dpkg --print-architecture) || {
	echo "dpkg is missing: what is unpacked here are packages of Debian" >&2
	exit 2
}
for tool in cc "$gnu-gcc"; do
	if ! command -v "$tool" >/dev/null; then
		echo "$tool is missing: apt-get install gcc libc6-dev gcc-$(printf %s "$gnu" | tr _ -) libc6-dev-$debian-cross" >&2
		exit 2
	fi
done

folder=$PWD/target/static/$target
sysroot=$folder/sysroot
rust=$PWD/target/tiny/rust
use_cargo "$rust" "$native" rust-web-src || exit 2
tools/debian.sh "$sysroot" "$debian" "musl-dev:$debian" "linux-libc-dev:$debian" || exit 2

# Where rustc looks for what a static program begins and ends with, and for an unwinder: gcc's, made for glibc, asks that for the tables of
# a program. Nothing here unwinds, so it may be told that there are none.
libraries=$rust/usr/lib/rustlib/$triple/lib
own=$libraries/self-contained
mkdir -p "$own"
cp "$sysroot/usr/lib/$musl"/*crt*.o "$sysroot/usr/lib/$musl/libc.a" "$own"
for object in crtbegin.o crtbeginS.o crtend.o crtendS.o; do
	cp "$("$gnu-gcc" -print-file-name="$object")" "$own"
done
cp "$("$gnu-gcc" -print-file-name=libgcc_eh.a)" "$own/libunwind.a"
printf 'int _dl_find_object(void *where, void *found) { (void)where, (void)found; return -1; }\n' >"$folder/no-tables.c"
"$gnu-gcc" -Os -c -o "$folder/no-tables.o" "$folder/no-tables.c"
ar r "$own/libunwind.a" "$folder/no-tables.o" 2>/dev/null

upper=$(printf %s "$triple" | tr 'a-z-' 'A-Z_')
lower=$(printf %s "$triple" | tr - _)
export "CARGO_TARGET_${upper}_LINKER=$gnu-gcc"
export "CC_$lower=$gnu-gcc"
export "CFLAGS_$lower=-nostdinc -isystem $sysroot/usr/include/$musl -isystem $("$gnu-gcc" -print-file-name=include) -isystem $sysroot/usr/include -isystem $sysroot/usr/include/$gnu"
export RUSTC_BOOTSTRAP=1
export CARGO="$rust/usr/bin/cargo"
# Times of 64 bits on 32-bit machines too: of the C library as of musl 1.2, and so of the standard library that is built along.
export RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1
flags="-Ctarget-feature=+crt-static --cfg=libc_unstable_musl_v1_2"

use_core "$triple" "$rust" "$folder/core" "$flags"

# libc::time_t is called deprecated on musl, whatever it is.
export RUSTFLAGS="-Adeprecated -Zunstable-options -Cpanic=immediate-abort -Cforce-unwind-tables=no -Zlocation-detail=none $flags"
# shellcheck disable=SC2086 # two words, or none
tools/cargo.sh build --quiet --release --locked --no-default-features $with --target "$triple" --target-dir "$folder/build" \
	-Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
deliver "$folder/build/$triple/release/gwe" "$folder/$features" "$gnu-strip"
