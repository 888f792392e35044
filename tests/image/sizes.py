"""What `make install` puts into an image, by group, and what the whole root has: the tables in docs/images.md."""

import re
import shutil

import rootfs

# The first prefix that fits counts.
GROUPS = (
    ("binary", ("usr/bin",)),
    ("configuration", ("etc/gwe", "usr/share/gwe")),
    ("hosting", ("usr/libexec/gwe/hosting-core",)),
    ("init", ("etc/default", "etc/init.d", "usr/libexec", "usr/lib/systemd")),
    ("man pages", ("usr/share/man",)),
    ("docs", ("usr/share/doc",)),
    ("anything else", ("",)),
)

# What is not of `make install`, by the name of the file; the first that fits counts.
OTHERS = (
    ("BusyBox", r"/busybox$"),
    ("OpenSSL", r"/lib(ssl|crypto)\.so"),
    ("e2fsprogs", r"/(lib(ext2fs|e2p|com_err|ss|blkid|uuid)\.so[^/]*|e2fsck|e2mmpstatus|mke2fs|mke2fs\.conf|fsck\.ext.|mkfs\.ext.|blkid)$"),
    ("C library", r"^usr/lib/"),
    ("anything else", r""),
)


def folder_sizes(folder):
    """{group: [files, bytes]}; links are not counted."""
    sizes = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            name = str(path.relative_to(folder))
            group = next(group for group, prefixes in GROUPS if name.startswith(prefixes))
            of_group = sizes.setdefault(group, [0, 0])
            of_group[0] += 1
            of_group[1] += path.stat().st_size
    return sizes


def table(folder, binary):
    """Installs once for each init system, with the docs and nothing of the factory's, and returns lines of text."""
    kinds = ("sysv", "systemd")
    of_kind = {}
    for kind in kinds:
        tree = folder / f"sizes-{kind}"
        rootfs.make_install(tree, [f"INIT={kind}", "PRODUCT_ID=p0imagetest", f"BINARY={binary}"])
        of_kind[kind] = folder_sizes(tree)
        shutil.rmtree(tree)
    lines = [f"{'':16}" + "".join(f"{f'INIT={kind}':>24}" for kind in kinds)]
    for group, _ in GROUPS:
        if any(group in of_kind[kind] for kind in kinds):
            cells = (of_kind[kind].get(group, [0, 0]) for kind in kinds)
            lines.append(f"{group:16}" + "".join(f"{files:>8} files{size:>10,}" for files, size in cells))
    return lines


def of_root(folder, root, binary):
    """{group: bytes}: what the root's files take, unpacked, by where they come from. A file with two names counts once."""
    tree = folder / "sizes-ours"
    rootfs.make_install(tree, ["INIT=sysv", "SYSV_NAME=S99gwe", "PRODUCT_ID=p0imagetest", f"BINARY={binary}", "DOCS=no"])
    ours = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    shutil.rmtree(tree)
    sizes, seen = {}, set()
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        if path.is_symlink() or not path.is_file() or facts.st_ino in seen:
            continue
        seen.add(facts.st_ino)
        name = str(path.relative_to(root))
        group = "make install" if name in ours else next(group for group, pattern in OTHERS if re.search(pattern, name))
        sizes[group] = sizes.get(group, 0) + facts.st_size
    return sizes
