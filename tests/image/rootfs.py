"""Builds the image that the test boots: Debian's kernel, BusyBox, Python and supervisor, with `make install` on top.

The root is a read-only squashfs; /var/lib/gwe is on a second disk, blank at first. Packages come by apt and stay in a cache.
"""

import pathlib
import re
import shutil
import subprocess
import tarfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# What an image of this kind has; {python} is the distribution's version of it.
PACKAGES = """
    busybox-static libc6 libgcc-s1 libssl3 zlib1g libexpat1 lib{python}-minimal lib{python}-stdlib {python}-minimal python3-minimal
    python3-pkg-resources supervisor e2fsprogs libext2fs2 libcom-err2 libss2 libblkid1 libuuid1 util-linux
"""

# Of the kernel's modules; what they depend on comes before them.
MODULES = "virtio_pci virtio_blk virtio_net virtio_console squashfs"

# What no gateway needs; the rest of Python's library stays.
USELESS = """
    usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/lintian usr/lib/{python}/test usr/lib/{python}/idlelib
    usr/lib/{python}/lib2to3 usr/lib/{python}/distutils usr/lib/{python}/ensurepip usr/lib/{python}/pydoc_data usr/lib/{python}/unittest
    usr/lib/{python}/tkinter usr/lib/python3/dist-packages/supervisor/tests usr/lib/udev usr/lib/systemd lib/udev lib/systemd
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


def depends(package, pattern):
    """What a package depends on that fits a pattern: the current version behind a name that stays."""
    found = re.search(rf"Depends: ({pattern})$", run("apt-cache", "depends", package), re.M)
    if not found:
        raise Unavailable(f"apt knows no {package}")
    return found[1]


def fetch(package, cache):
    """The package's file, from the cache or by apt. It comes into the cache as a whole: a download that broke off leaves nothing there."""
    found = sorted(cache.glob(f"{package}_*.deb"))
    if not found:
        coming = cache / "coming"
        shutil.rmtree(coming, ignore_errors=True)
        coming.mkdir(parents=True)
        try:
            run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package, cwd=coming)
        except RuntimeError as error:
            raise Unavailable(str(error)) from error
        found = [file.rename(cache / file.name) for file in coming.glob("*.deb")]
    return found[-1]


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


def fetch_all(cache):
    """Every package, before anything is built; returns (name of the distribution's Python, packages of the userland, kernel's package)."""
    try:
        python = depends("python3-minimal", r"python3\.\d+-minimal").removesuffix("-minimal")
        kernel = depends("linux-image-cloud-amd64", r"linux-image-\S+")
    except RuntimeError as error:
        raise Unavailable(str(error)) from error
    if not pathlib.Path("/usr/bin", python).exists():
        raise Unavailable(f"needs /usr/bin/{python}, to compile its library")
    userland = [fetch(package.format(python=python), cache) for package in PACKAGES.split()]
    return python, userland, fetch(kernel, cache)


def make_userland(root, python, packages):
    """BusyBox, Python, supervisor and e2fsprogs, byte-compiled, with the few files that make them a system."""
    for package in packages:
        # Of util-linux only the blkid that tells types.
        if package.name.startswith("util-linux_"):
            run("sh", "-c", f"dpkg-deb --fsys-tarfile {package} | tar -C {root} -x ./sbin/blkid")
        else:
            run("dpkg-deb", "-x", package, root)
    merge_usr(root)
    for useless in USELESS.split():
        shutil.rmtree(root / useless.format(python=python), ignore_errors=True)
    busybox = root / "usr/bin/busybox"
    for path in run(busybox, "--list-full").split():
        link = root / path
        # What a package brings is better than BusyBox's own.
        if not any((root / folder / link.name).is_symlink() or (root / folder / link.name).exists() for folder in ("usr/sbin", "usr/bin")):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("/usr/bin/busybox")
    # Without byte code supervisord takes twice the memory and starts much slower, and a read-only root can never make up for it.
    run(f"/usr/bin/{python}", "-m", "compileall", "-q", "-s", root, "-p", "/", root / f"usr/lib/{python}", root / "usr/lib/python3/dist-packages")
    for folder in "proc sys dev run tmp root var/log var/lib etc/init.d".split():
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.rmtree(root / "var/run", ignore_errors=True)
    (root / "var/run").symlink_to("../run")
    for stale in (root / "etc/init.d").iterdir():
        stale.unlink()


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


def with_dependencies(names, folder):
    """Modules in the order in which they can be loaded, as the files say themselves."""
    ordered = []
    for name in names:
        file = next(folder.rglob(f"{name}.ko"))
        needed = re.search(rb"\0depends=([^\0]*)\0", file.read_bytes())[1].decode()
        for module in with_dependencies([part.replace("-", "?").replace("_", "?") for part in needed.split(",") if part], folder) + [file]:
            if module not in ordered:
                ordered.append(module)
    return ordered


def make_kernel(folder, package):
    """Returns (kernel, initial RAM disk): an unpacked vmlinux boots faster under emulation, where it can be had."""
    unpacked = folder / "kernel"
    run("dpkg-deb", "-x", package, unpacked)
    kernel = next(unpacked.glob("boot/vmlinuz-*"))
    modules = folder / "initrd/modules"
    modules.mkdir(parents=True)
    files = with_dependencies(MODULES.split(), unpacked)
    for file in files:
        shutil.copy(file, modules)
    write(folder / "initrd/init", INIT.format(modules=" ".join(file.stem for file in files)), 0o755)
    for name in ("dev", "sysroot", "bin"):
        (folder / "initrd" / name).mkdir()
    shutil.copy(next((folder / "root").glob("usr/bin/busybox")), folder / "initrd/bin")
    for applet in ("sh", "mount", "insmod", "switch_root"):
        (folder / "initrd/bin" / applet).symlink_to("busybox")
    run("sh", "-c", f"cd {folder}/initrd && find . | cpio --quiet -o -H newc | gzip -1 >{folder}/initrd.gz")
    return extract(kernel) or kernel, folder / "initrd.gz"


def extract(kernel):
    """The ELF file within a bzImage that is packed with LZ4, as Debian's is; None where it is not, or lz4 is missing."""
    start = kernel.read_bytes().find(b"\x02\x21\x4c\x18")
    if start < 0 or not shutil.which("lz4"):
        return None
    vmlinux = kernel.with_name("vmlinux")
    with vmlinux.open("wb") as target:
        # What follows the packed kernel makes lz4 complain at the end.
        subprocess.run(["sh", "-c", f"tail -c +{start + 1} {kernel} | lz4 -dc"], stdout=target, stderr=subprocess.DEVNULL, check=False)
    return vmlinux if vmlinux.read_bytes()[:4] == b"\x7fELF" else None


def make_install(destination, settings):
    run("make", "--no-print-directory", "-C", REPOSITORY, "install", "PREFIX=/usr", f"DESTDIR={destination}", *settings)


def build(folder, packages, settings, product, engine_config):
    """Builds everything into an empty folder, with more lines at the end of Engine.config; returns {kernel, initrd, root}."""
    python, userland, kernel_package = packages
    root = folder / "root"
    root.mkdir(parents=True)
    make_userland(root, python, userland)
    make_system(root, product)
    make_install(root, ["INIT=sysv", "SYSV_NAME=S99gwe", f"PRODUCT_ID={product}", *settings])
    with (root / "etc/gwe/Engine.config").open("a") as config:
        config.write(engine_config)
    kernel, initrd = make_kernel(folder, kernel_package)
    squashfs = folder / "root.squashfs"
    run("mksquashfs", root, squashfs, "-quiet", "-no-progress", "-all-root", "-comp", "gzip", "-noappend")
    return {"kernel": kernel, "initrd": initrd, "root": squashfs}
