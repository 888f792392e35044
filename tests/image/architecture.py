"""What differs between the machines that the image test boots: QEMU's name for them, Debian's, and where their console is."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Architecture:
    name: str
    debian: str
    kernel: str
    """A package that depends on the current kernel."""
    emulator: str
    machine: tuple
    console: str
    modules: str
    """Of the kernel's; what they say that they depend on comes before them."""


ARCHITECTURES = {
    machine.name: machine
    for machine in (
        Architecture("x86_64", "amd64", "linux-image-cloud-amd64", "qemu-system-x86_64", ("-M", "pc,accel=tcg", "-cpu", "max", "-m", "128"), "ttyS0",
                     "virtio_pci virtio_blk virtio_net virtio_console squashfs"),
        Architecture("aarch64", "arm64", "linux-image-cloud-arm64", "qemu-system-aarch64", ("-M", "virt", "-cpu", "cortex-a53", "-m", "192"), "ttyAMA0",
                     "virtio_pci virtio_blk virtio_net virtio_console squashfs ext4"),
        Architecture("armv7", "armhf", "linux-image-armmp", "qemu-system-arm", ("-M", "virt,highmem=off", "-cpu", "cortex-a15", "-m", "192"), "ttyAMA0",
                     "virtio_pci virtio_blk virtio_net virtio_console squashfs crc32c_generic ext4"),
    )
}
