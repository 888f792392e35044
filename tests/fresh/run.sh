#!/usr/bin/env bash
# Usage: run.sh [--no-venv] COMMAND…   Runs a command as on a fresh machine: PATH is one folder, with the programs of Debian's base system, git, make,
# the C compiler that Rust links with, Python 3 and Rust. All else that this machine may have (minisign, shellcheck, strace, supervisor,
# QEMU, BusyBox, curl, OpenSSL, node…) is not there.
# --no-venv: Python 3 as Debian has it without python3-venv and python3-pip.
set -euo pipefail
cd "$(dirname "$0")/../.."
without=()
if [ "${1:-}" = --no-venv ]; then
	without=(ensurepip pip)
	shift
fi

command -v dpkg-query >/dev/null || { echo "skipped: a fresh PATH: needs dpkg" >&2; exit 0; }
folder=$PWD/target/fresh
rm -rf "$folder"
mkdir -p "$folder"

# What debootstrap calls minbase, and what README.md asks for.
mapfile -t packages < <(dpkg-query -W -f '${Essential} ${Priority} ${db:Status-Abbrev} ${Package}\n' |
	awk '$3 == "ii" && ($1 == "yes" || $2 == "required") { print $4 }')
mapfile -t more < <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' |
	awk '$1 == "ii" && $2 ~ /^(git|make|gcc|gcc-[0-9]+|cpp|cpp-[0-9]+|binutils|binutils-.*-linux-gnu)$/ { print $2 }')

# Each program of theirs by the names that the system has for it, such as cc for gcc-12. /bin and /usr/bin are one folder.
dpkg-query -L "${packages[@]}" "${more[@]}" 2>/dev/null | sed -nE 's|^(/usr)?/(s?bin/.*)|/usr/\2|p' | sort -u >"$folder/.files"
for program in /usr/sbin/* /usr/bin/*; do
	if grep -qxF "$program" "$folder/.files" || grep -qxF "$(readlink -f "$program")" "$folder/.files"; then
		ln -sf "$program" "$folder/${program##*/}"
	fi
done
rm "$folder/.files"
# The base system's awk is mawk, also where another has been installed since and goes by the name.
[ -e "$folder/awk" ] || ln -s "$(command -v mawk)" "$folder/awk"

# A link would make Python's .venv depend on this folder.
python=$(python3 -c 'import sys; print(sys.executable)')
hidden=$folder/.hidden
mkdir "$hidden"
for module in ${without[@]+"${without[@]}"}; do
	mkdir "$hidden/$module"
	echo "raise ImportError('not on this machine')" >"$hidden/$module/__init__.py"
done
printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" "$@"\n' "$hidden" "$python" >"$folder/python3"
chmod +x "$folder/python3"
cargo=$(dirname "$(command -v cargo)")
for program in cargo rustc rustfmt cargo-fmt cargo-clippy clippy-driver rustdoc rustup; do
	[ ! -x "$cargo/$program" ] || ln -sf "$cargo/$program" "$folder/$program"
done

for strange in minisign shellcheck strace supervisord qemu-system-x86_64 busybox curl openssl node; do
	[ ! -e "$folder/$strange" ] || { echo "$strange is in the fresh PATH" >&2; exit 1; }
done
PATH=$folder exec "$@"
