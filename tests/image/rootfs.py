"""Builds the image that the test boots: Debian's kernel, BusyBox, C library, OpenSSL and e2fsprogs, with `make install` on top. No Python.

The root is a read-only squashfs; /var/lib/gwe is on a second disk, blank at first. Packages come by tools/debian.sh, of another architecture
too, and stay unpacked.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tarfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# What an image of this kind has.
PACKAGES = "busybox-static libc6 libgcc-s1 libssl3 e2fsprogs libext2fs2 libcom-err2 libss2 libblkid1 libuuid1"
# Of this one only the blkid that tells types.
BLKID = "util-linux"

# What no gateway needs.
USELESS = """
    usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/lintian usr/share/bug usr/share/initramfs-tools usr/share/gcc usr/share/gdb
    usr/lib/udev usr/lib/systemd lib/udev lib/systemd usr/lib/*/gconv usr/lib/*/engines-3 usr/lib/*/ossl-modules usr/lib/*/audit etc/e2scrub.conf etc/cron.d
    etc/init.d sbin/debugfs sbin/resize2fs sbin/e4crypt sbin/e2scrub* sbin/dumpe2fs sbin/badblocks sbin/e2image sbin/e2undo sbin/logsave sbin/tune2fs sbin/e2label
    sbin/mke2fs.static usr/sbin/e2freefrag usr/sbin/e4crypt usr/sbin/e4defrag usr/sbin/filefrag usr/sbin/mklost+found usr/bin/chattr usr/bin/lsattr
"""

INIT = """#!/bin/sh
mount -t devtmpfs dev /dev
for module in {modules}; do insmod /modules/$module.ko; done
mount -t squashfs -o ro /dev/vda /sysroot
mount -t devtmpfs dev /sysroot/dev
exec switch_root /sysroot /sbin/init
"""

# One console is the test's shell; what is written to another one (witness.py) has left the gateway.
INITTAB = """::sysinit:/etc/init.d/rcS
hvc0::respawn:/usr/sbin/test-shell
::shutdown:/etc/init.d/S99gwe stop
::shutdown:/bin/umount -a -r
::ctrlaltdel:/sbin/reboot
"""

# Without prompts, echoes and line editing.
TEST_SHELL = """#!/bin/sh
stty raw -echo
while read -r line; do eval "$line"; done 2>&1
"""

RCS = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
echo BOOT >/dev/hvc1
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
mount -t tmpfs log /var/log
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
for script in /etc/init.d/S??*; do $script start; done
"""


class Unavailable(Exception):
    """What an image is made of cannot be had on this machine."""


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def unpack(folder, architecture, packages):
    """Packages of an architecture in a folder, which stays as it is while the same are asked for."""
    try:
        run(REPOSITORY / "tools/debian.sh", folder, architecture.debian, *(f"{package}:{architecture.debian}" for package in packages))
    except RuntimeError as error:
        raise Unavailable(str(error)) from error
    return folder


def current_kernel(cache, architecture):
    """The package behind a name that stays."""
    found = run("apt-cache", "depends", f"{architecture.kernel}:{architecture.debian}", env={**os.environ, "APT_CONFIG": str(cache / "apt/apt.conf")})
    name = re.search(r"Depends: (linux-image-[^:\s]+)", found)
    if not name:
        raise Unavailable(f"apt knows no {architecture.kernel} of {architecture.debian}")
    return name[1]


def fetch_all(cache, architecture):
    """Everything, before anything is built; returns the folders of the userland, of what brings blkid, and of the kernel."""
    cache.mkdir(parents=True, exist_ok=True)
    userland = unpack(cache / "userland", architecture, PACKAGES.split())
    blkid = unpack(cache / "blkid", architecture, [BLKID])
    try:
        kernel = current_kernel(cache, architecture)
    except RuntimeError as error:
        raise Unavailable(str(error)) from error
    return userland, blkid, unpack(cache / "kernel", architecture, [kernel])


def merge_usr(root):
    """Debian's packages still name /bin, /sbin and /lib, which are links into /usr on a current system."""
    for name in ("bin", "sbin", "lib", "lib64"):
        old = root / name
        if old.is_dir() and not old.is_symlink():
            run("cp", "-a", f"{old}/.", root / "usr" / name)
            shutil.rmtree(old)
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        if not old.is_symlink():
            old.symlink_to(f"usr/{name}")


def make_userland(root, userland, blkid):
    """BusyBox, the C library, OpenSSL and e2fsprogs, with the few files that make them a system."""
    run("cp", "-a", f"{userland}/.", root)
    run("cp", "-a", next(blkid.rglob("sbin/blkid")), root / "sbin/blkid")
    for useless in USELESS.split():
        for path in root.glob(useless):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    (root / ".packages").unlink()
    merge_usr(root)
    # This machine's own tells the names; the image's may be of another architecture.
    for path in run("busybox", "--list-full").split():
        link = root / path
        # What a package brings is better than BusyBox's own.
        if not any((root / folder / link.name).is_symlink() or (root / folder / link.name).exists() for folder in ("usr/sbin", "usr/bin")):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("/usr/bin/busybox")
    for folder in "proc sys dev run tmp root var/log var/lib etc/init.d".split():
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.rmtree(root / "var/run", ignore_errors=True)
    (root / "var/run").symlink_to("../run")


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def make_system(root, product):
    write(root / "etc/inittab", INITTAB)
    write(root / "etc/init.d/rcS", RCS, 0o755)
    write(root / "usr/sbin/test-shell", TEST_SHELL, 0o755)
    write(root / "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    write(root / "etc/group", "root:x:0:\n")
    # The platform's own name for the product leads to the one address that the network forwards.
    write(root / "etc/hosts", f"127.0.0.1 localhost\n10.0.2.100 {product}.m2.exosite.io\n")
    write(root / "etc/nsswitch.conf", "hosts: files\n")


def pack_app(folder, name, version, into):
    """A tarball as an app developer would make it, from a folder; @VERSION@ in its files is replaced."""
    tarball = into / f"{name}.v{version}.tar.gz"
    staging = into / f"{name}.v{version}"
    shutil.copytree(folder, staging)
    for file in staging.iterdir():
        file.write_text(file.read_text().replace("@VERSION@", version))
    with tarfile.open(tarball, "w:gz") as archive:
        for file in sorted(staging.iterdir()):
            archive.add(file, file.name)
    shutil.rmtree(staging)
    return tarball


def version():
    """The agent's."""
    return re.search(r'^version = "(.*)"$', (REPOSITORY / "Cargo.toml").read_text(), re.M)[1]


def pack_agent(binary, old, new, into):
    """The agent as a later version of itself: the same bytes but for its number, of the same length. Its core has a byte more. As `make otau` would pack it."""
    staging = into / f"gwe.v{new}"
    staging.mkdir()
    later = binary.read_bytes().replace(old.encode(), new.encode())
    (staging / "gwe").write_bytes(later)
    (staging / "hosting-core").write_bytes((binary.parent / "hosting-core").read_bytes() + b"\n")
    shutil.copy(REPOSITORY / "configs/otau/install.sh", staging)
    for file in staging.iterdir():
        file.chmod(0o755)
    tarball = into / f"gwe.v{new}.tar.gz"
    with tarfile.open(tarball, "w:gz") as archive:
        for file in sorted(staging.iterdir()):
            archive.add(file, file.name)
    shutil.rmtree(staging)
    return tarball


def with_dependencies(names, folder):
    """Modules in the order in which they can be loaded, as the files say themselves."""
    ordered = []
    # Some are in one kernel and beside another.
    built_in = next(folder.rglob("modules.builtin")).read_text().replace("-", "_")
    for name in names:
        file = next(folder.rglob(f"{name}.ko"), None)
        if file is None:
            if not re.search(rf"/{name.replace('?', '[_-]')}\.ko$", built_in, re.M):
                raise RuntimeError(f"the kernel has no module {name}")
            continue
        needed = re.search(rb"\0depends=([^\0]*)\0", file.read_bytes())[1].decode()
        for module in with_dependencies([part.replace("-", "?").replace("_", "?") for part in needed.split(",") if part], folder) + [file]:
            if module not in ordered:
                ordered.append(module)
    return ordered


def make_kernel(folder, unpacked, modules_wanted):
    """Returns (kernel, initial RAM disk): an unpacked vmlinux boots faster under emulation, where it can be had."""
    kernel = next(unpacked.glob("boot/vmlinuz-*"))
    modules = folder / "initrd/modules"
    modules.mkdir(parents=True)
    files = with_dependencies(modules_wanted.split(), unpacked)
    for file in files:
        shutil.copy(file, modules)
    write(folder / "initrd/init", INIT.format(modules=" ".join(file.stem for file in files)), 0o755)
    for name in ("dev", "sysroot", "bin"):
        (folder / "initrd" / name).mkdir()
    shutil.copy(next((folder / "root").glob("usr/bin/busybox")), folder / "initrd/bin")
    for applet in ("sh", "mount", "insmod", "switch_root"):
        (folder / "initrd/bin" / applet).symlink_to("busybox")
    run("sh", "-c", f"cd {folder}/initrd && find . | cpio --quiet -o -H newc | gzip -1 >{folder}/initrd.gz")
    return extract(kernel, folder / "vmlinux") or kernel, folder / "initrd.gz"


def extract(kernel, vmlinux):
    """The ELF file within a bzImage that is packed with LZ4, as Debian's is; None where it is not, or lz4 is missing."""
    start = kernel.read_bytes().find(b"\x02\x21\x4c\x18")
    if start < 0 or not shutil.which("lz4"):
        return None
    with vmlinux.open("wb") as target:
        # What follows the packed kernel makes lz4 complain at the end.
        subprocess.run(["sh", "-c", f"tail -c +{start + 1} {kernel} | lz4 -dc"], stdout=target, stderr=subprocess.DEVNULL, check=False)
    return vmlinux if vmlinux.read_bytes()[:4] == b"\x7fELF" else None


def make_install(destination, settings):
    run("make", "--no-print-directory", "-C", REPOSITORY, "install", "PREFIX=/usr", f"DESTDIR={destination}", *settings)


def build(folder, architecture, packages, settings, product, engine_config):
    """Builds everything into an empty folder, with more lines at the end of Engine.config; returns {kernel, initrd, root, tree}."""
    userland, blkid, kernel_package = packages
    root = folder / "root"
    root.mkdir(parents=True)
    make_userland(root, userland, blkid)
    make_system(root, product)
    make_install(root, ["INIT=sysv", "SYSV_NAME=S99gwe", f"PRODUCT_ID={product}", *settings])
    with (root / "etc/gwe/Engine.config").open("a") as config:
        config.write(engine_config)
    kernel, initrd = make_kernel(folder, kernel_package, architecture.modules)
    squashfs = folder / "root.squashfs"
    run("mksquashfs", root, squashfs, "-quiet", "-no-progress", "-all-root", "-comp", "gzip", "-noappend")
    return {"kernel": kernel, "initrd": initrd, "root": squashfs, "tree": root}
