#!/bin/sh
# Makes the release tarball gwe-VERSION.tar.gz: the source that ships, with its vendored crates, so that it builds with no network. The
# same commit makes the same bytes. Beside it the Buildroot external tree of the same release, which knows its hash, and the bills of materials.
# Usage: dist.sh [FOLDER]; without one they go to dist/, and the external tree in this checkout learns the hash too.

set -eu

out=${1:-}
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=gwe-$version
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
source=$scratch/$name

# What ships: everything but the tests, the layer and the external tree, which stand beside a release.
mkdir -p "$source"
git ls-files --cached --others --exclude-standard |
	grep -vE '^(tests|fuzz|meta-gwe|buildroot-package|\.ci|\.github)/' |
	while read -r file; do
		# A file that is deleted and not yet committed is listed too.
		[ -e "$file" ] && printf '%s\n' "$file"
	done | tar -c -T - | tar -x -C "$source"

mkdir -p "$source/.cargo"
# Where cargo may say what it did: only an error is worth reading.
(cd "$source" && cargo vendor --locked --versioned-dirs VENDOR) >"$source/.cargo/config.toml" 2>"$scratch/vendor.log" || {
	cat "$scratch/vendor.log" >&2
	exit 1
}

# Bindings to Windows are most of what cargo vendors, and no gateway builds them. The crates stay as empty ones, since cargo wants to
# read each manifest; their checksum files no longer name what is gone.
for crate in "$source"/VENDOR/windows-sys-* "$source"/VENDOR/windows_*; do
	package=$(sed 's/.*"package":"\([0-9a-f]*\)".*/\1/' "$crate/.cargo-checksum.json")
	find "$crate" -mindepth 1 -maxdepth 1 ! -name Cargo.toml ! -iname 'license*' -exec rm -rf {} +
	mkdir "$crate/src"
	: >"$crate/src/lib.rs"
	: >"$crate/build.rs"
	printf '{"files":{},"package":"%s"}\n' "$package" >"$crate/.cargo-checksum.json"
done

# What each set of features is made of.
mkdir -p "${out:-dist}" "$source/sbom"
for features in none tls-openssl tls-rustls; do
	SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) tools/sbom.py bill "$features" >"$source/sbom/gwe-$features.cdx.json"
	cp "$source/sbom/gwe-$features.cdx.json" "${out:-dist}/$name-$features.cdx.json"
done
cp configs/product/gwe.vex.cdx.json "${out:-dist}/$name.vex.cdx.json"

pack() {
	# The commit's time for every file, names in order, no owners: nothing of this machine is in the archive.
	tar -C "$scratch" --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX \
		--mtime="@$(git log -1 --format=%ct)" --format=gnu -c "$1" | gzip -9n >"${out:-dist}/$1.tar.gz"
}
pack "$name"

external=gwe-buildroot-$version
cp -R buildroot-package "$scratch/$external"
rm -rf "$scratch/$external/package/gwe"/[0-9]*
hashes=package/gwe/$version/gwe.hash
mkdir "$scratch/$external/${hashes%/*}"
{
	echo "# Locally calculated, by make dist"
	printf 'sha256  %s  %s\n' "$(sha256sum "${out:-dist}/$name.tar.gz" | cut -d ' ' -f 1)" "$name.tar.gz"
	grep '  LICENSE' buildroot-package/package/gwe/gwe.hash
} >"$scratch/$external/$hashes"
pack "$external"
if [ -z "$out" ]; then
	# git ignores it.
	rm -rf buildroot-package/package/gwe/[0-9]*
	mkdir "buildroot-package/${hashes%/*}"
	cp "$scratch/$external/$hashes" "buildroot-package/$hashes"
fi

(cd "${out:-dist}" && sha256sum "$name.tar.gz" "$external.tar.gz" "$name"-*.cdx.json "$name.vex.cdx.json" | tee SHA256SUMS)
