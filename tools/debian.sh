#!/bin/sh
# Unpacks Debian packages into a folder, of another architecture too, and installs nothing: apt works on lists of its own, beside the
# folder. What was unpacked is not fetched again while the same packages are asked for.
# Usage: debian.sh FOLDER ARCHITECTURE PACKAGE[:ARCHITECTURE]…
#
# PREFIX* stands for what the packages of this machine's own architecture depend on, of names that begin so: names with a version in them.

set -eu

folder=$1
foreign=$2
shift 2
if [ "$(cat "$folder/.packages" 2>/dev/null)" = "$*" ]; then
	exit 0
fi
for tool in apt-get dpkg-deb; do
	if ! command -v "$tool" >/dev/null; then
		echo "$0: needs $tool: what is unpacked here are packages of Debian" >&2
		exit 1
	fi
done

apt=$(dirname "$folder")/apt
rm -rf "$folder"
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$folder"
apt=$(cd "$apt" && pwd)
# A status of no package: what this machine has installed is of no interest.
: >"$apt/status"
native=$(dpkg --print-architecture)
cat >"$apt/apt.conf" <<CONF
APT::Architecture "$native";
APT::Architectures { "$native"; "$foreign"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
CONF
export APT_CONFIG="$apt/apt.conf"

# Lists older than a day may name packages that are gone.
if [ -z "$(find "$apt/lists" -name '*Packages*' -mmin -1440)" ]; then
	# A mirror may be in the middle of an update. Then apt leaves out that whole source, of every architecture, and what the others have
	# is older and still of one version.
	apt-get update -qq || echo "$0: goes on with the lists that there are" >&2
fi

names=
for package in "$@"; do
	case $package in
	*:* | *\*) ;;
	*) names="$names $package" ;;
	esac
done
needed=
# shellcheck disable=SC2086 # names of packages, one word each
[ -z "$names" ] || needed=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances $names)
for package in "$@"; do
	case $package in
	*:*) names="$names $package" ;;
	*\*) names="$names $(printf '%s\n' "$needed" | sed -n "s/^ *Depends: \(${package%\*}[^:]*\)$/\1/p" | sort -u | tr '\n' ' ')" ;;
	esac
done

rm -f "$apt"/cache/archives/*.deb
# shellcheck disable=SC2086 # names of packages, one word each
(cd "$apt/cache/archives" && apt-get download -qq $names)
for package in "$apt"/cache/archives/*.deb; do
	dpkg-deb -x "$package" "$folder"
done
rm -f "$apt"/cache/archives/*.deb
printf '%s\n' "$*" >"$folder/.packages"
