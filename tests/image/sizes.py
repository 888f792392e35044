"""What `make install` puts into an image, by group: the table in docs/images.md."""

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
