# What cross.sh and tiny.sh share, for them to source.
# shellcheck shell=sh

# cargo_features none|tls-openssl: prints the words that say so to cargo, or none.
cargo_features() {
	case $1 in
	none) ;;
	tls-openssl) echo "--features tls-openssl" ;;
	*)
		echo "FEATURES cannot be '$1': it must be none or tls-openssl" >&2
		return 1
		;;
	esac
}

# use_compiler FOLDER ARCHITECTURE PACKAGE…: unpacks Debian's rustc with these packages, and has cargo run it. Beside them comes what the
# compiler's own libraries need that a small system may lack; all are of one version, because they are unpacked together.
use_compiler() {
	tools/debian.sh "$@" 'libstd-rust-web-*' 'libllvm*' 'libedit*' 'libffi*' 'libz3*' 'libxml2*' 'libicu*' 'libbsd*' 'libmd*' || return 2
	libraries=$(dirname "$1"/usr/lib/*/librustc_driver-*.so)
	export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
	export RUSTC="$1/usr/bin/rustc"
}

# deliver PROGRAM FOLDER STRIP: puts it there as an image has it, and says how large it is.
deliver() {
	mkdir -p "$2"
	"$3" -o "$2/gwe" "$1"
	printf '%s: %s bytes\n' "${2#"$PWD/"}/gwe" "$(wc -c <"$2/gwe")"
}
