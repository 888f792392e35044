# What cross.sh, tiny.sh and static.sh share, for them to source.
# shellcheck shell=sh

# cargo_features FEATURES none TLS: prints the words that say so to cargo, or none, where FEATURES is one of the two. MORE_FEATURES of the
# environment come on top.
cargo_features() {
	more=${MORE_FEATURES:+--features $MORE_FEATURES}
	case $1 in
	"$2") echo "$more" ;;
	"$3") echo "--features $3 $more" ;;
	*)
		echo "FEATURES cannot be '$1': it must be $2 or $3" >&2
		return 1
		;;
	esac
}

# cross_target NAME: sets what Debian, Rust and GNU call that processor, and has cargo link with Debian's cross compiler; 2 where that is missing.
cross_target() {
	case $1 in
	aarch64) debian=arm64 triple=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu ;;
	armv7) debian=armhf triple=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf ;;
	*)
		echo "TARGET cannot be '$1': it must be armv7 or aarch64" >&2
		return 1
		;;
	esac
	if ! command -v "$gnu-gcc" >/dev/null; then
		echo "$gnu-gcc is missing: apt-get install gcc-$gnu libc6-dev-$debian-cross" >&2
		return 2
	fi
	upper=$(printf %s "$triple" | tr 'a-z-' 'A-Z_')
	lower=$(printf %s "$triple" | tr - _)
	export "CARGO_TARGET_${upper}_LINKER=$gnu-gcc"
	export "CC_$lower=$gnu-gcc"
}

# use_sysroot FOLDER: the C library and OpenSSL of that processor, unpacked there, for what is built next.
use_sysroot() {
	tools/debian.sh "$1" "$debian" "libc6:$debian" "libgcc-s1:$debian" "libssl3:$debian" "libssl-dev:$debian" || return 2
	export "CFLAGS_$lower=-I$1/usr/include/$gnu"
	export "${upper}_OPENSSL_LIB_DIR=$1/usr/lib/$gnu"
	export "${upper}_OPENSSL_INCLUDE_DIR=$1/usr/include"
}

# use_core TRIPLE RUST FOLDER FLAGS: where the standard library is built along, build.rs still compiles two small programs without libraries. For
# these the target needs Rust's core, as if it came prebuilt: it is built once, with these flags of the compiler, and put among RUST's own.
use_core() {
	core=$2/usr/lib/rustlib/$1/lib
	[ ! -e "$core/core-is-built" ] || return 0
	mkdir -p "$3/src" "$core"
	printf '[package]\nname = "core-alone"\n[workspace]\n' >"$3/Cargo.toml"
	printf '#![no_std]\n' >"$3/src/lib.rs"
	RUSTFLAGS=$4 "$CARGO" build --quiet --release --manifest-path "$3/Cargo.toml" --target "$1" --target-dir "$3/target" -Zbuild-std=core
	cp "$3/target/$1/release/deps"/lib*.rlib "$core"
	rm -f "$core"/libcore_alone-*.rlib
	: >"$core/core-is-built"
}

# use_compiler FOLDER ARCHITECTURE PACKAGE…: unpacks Debian's rustc with these packages, and has cargo run it. Beside them comes what the
# compiler's own libraries need that a small system may lack; all are of one version, because they are unpacked together.
use_compiler() {
	tools/debian.sh "$@" 'libstd-rust-web-*' 'libllvm*' 'libedit*' 'libffi*' 'libz3*' 'libxml2*' 'libicu*' 'libbsd*' 'libmd0*' || return 2
	libraries=$(dirname "$1"/usr/lib/*/librustc_driver-*.so)
	export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
	export RUSTC="$1/usr/bin/rustc"
	has_libraries "$RUSTC" && has_libraries "$1/usr/bin/cargo"
}

# use_cargo FOLDER ARCHITECTURE PACKAGE…: Debian's cargo beside its compiler, with the libraries that it is linked with: most machines lack some.
use_cargo() {
	use_compiler "$@" rustc-web cargo-web libstd-rust-web-dev 'libgit2*' 'libssh2*' 'libcurl4*' 'libmbed*' 'libhttp-parser*' 'libsqlite3*' 'libnghttp2*' \
		'librtmp*' 'libldap*' 'libsasl2*' 'libbrotli*' 'libpsl*' 'libidn2*' 'libunistring*' 'libgssapi*' 'libkrb5*' 'libk5crypto*' 'libkeyutils*'
}

# has_libraries PROGRAM: whether all that it is linked with is found; what is not is named, with status 2.
has_libraries() {
	[ -e "$1" ] || return 0
	missing=$(ldd "$1" | sed -n 's/^[[:space:]]*\([^ ]*\) => not found$/\1/p' | sort -u | tr '\n' ' ')
	if [ -n "$missing" ]; then
		echo "${1##*/} cannot run here without ${missing% }: install the packages that have it (apt-file search), and report it as a fault of tools/build.sh" >&2
		return 2
	fi
}

# deliver PROGRAM FOLDER STRIP: puts it there as an image has it, with the core of its supervisord, and says how large it is.
deliver() {
	mkdir -p "$2"
	"$3" -o "$2/gwe" "$1"
	if [ -e "$(dirname "$1")/hosting-core" ]; then cp "$(dirname "$1")/hosting-core" "$2/hosting-core"; fi
	printf '%s: %s bytes\n' "${2#"$PWD/"}/gwe" "$(wc -c <"$2/gwe")"
}
