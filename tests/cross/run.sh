#!/bin/sh
# Runs a command in a place where this machine's kernel gives programs of another architecture to qemu-user: those of the agent too, which
# starts itself as its own child. The kernel's table (binfmt_misc) is one of a user namespace, so nothing is registered on the machine.
# Usage: run.sh armv7|aarch64 COMMAND…
# Where it cannot, it says "skipped: why", and succeeds.

set -eu

target=$1
shift
top=$(cd "$(dirname "$0")/../.." && pwd)
# The beginning of an ELF file of that machine, and what of it counts.
case $target in
aarch64) emulators="qemu-aarch64-static qemu-aarch64" elf='\x7fELF\x02\x01\x01\x00' machine='\xb7\x00' ;;
armv7) emulators="qemu-arm-static qemu-arm" elf='\x7fELF\x01\x01\x01\x00' machine='\x28\x00' ;;
*)
	echo "run.sh: no target '$target'" >&2
	exit 1
	;;
esac

skip() {
	echo "skipped: cross-test of $target: $*" >&2
	exit 0
}

GWE_BIN=${GWE_BIN:-$top/target/cross/$target/tls-openssl/gwe}
QEMU_LD_PREFIX=$top/target/cross/$target/sysroot
# An exec from memory does not come back under qemu-user; on a whole emulated machine it does (docs/footprint.md).
GWE_STAY=1
export GWE_BIN QEMU_LD_PREFIX GWE_STAY
[ -x "$GWE_BIN" ] || skip "needs $GWE_BIN (make cross TARGET=$target)"

emulator=
for name in $emulators; do
	emulator=${emulator:-$(command -v "$name" || true)}
done
[ -n "$emulator" ] || skip "needs the package qemu-user-static or qemu-user"

# P: the emulated program sees the name it was called by. F: the emulator is opened now, whatever the program's root is.
entry=":gwe-$target:M::$elf\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00$machine:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:$emulator:PF"
# shellcheck disable=SC2016 # for the inner shell
inside='mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && printf "%s" "$1" >/proc/sys/fs/binfmt_misc/register'
unshare --user --map-root-user --mount sh -c "$inside" sh "$entry" 2>/dev/null ||
	skip "needs a kernel that has binfmt_misc in user namespaces (Linux 6.7), and may make them"
exec unshare --user --map-root-user --mount sh -c "$inside"' && shift && exec "$@"' sh "$entry" "$@"
