import os
import time

import infra.basetest

EXTERNAL = os.path.abspath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../../.."))


class TestGwe(infra.basetest.BRTest):
    br2_external = [EXTERNAL]
    config = \
        """
        BR2_arm=y
        BR2_cortex_a9=y
        BR2_ARM_ENABLE_NEON=y
        BR2_ARM_ENABLE_VFP=y
        BR2_TOOLCHAIN_EXTERNAL=y
        BR2_TARGET_GENERIC_GETTY_PORT="ttyAMA0"
        BR2_SYSTEM_DHCP="eth0"
        BR2_TARGET_ROOTFS_CPIO=y
        # BR2_TARGET_ROOTFS_TAR is not set
        BR2_PACKAGE_GWE=y
        BR2_PACKAGE_GWE_PRODUCT_ID="test"
        BR2_PACKAGE_GWE_SERVER="http://127.0.0.1:9"
        """

    # Until supervisord has both programs RUNNING, in seconds.
    patience = 60

    def test_run(self):
        img = os.path.join(self.builddir, "images", "rootfs.cpio")
        self.emulator.boot(arch="armv7",
                           kernel="builtin",
                           options=["-initrd", img])
        self.emulator.login()

        for name in ("gwe", "gmq", "gdc"):
            self.assertRunOk(f"{name} --version")
        self.assertRunOk("gwe --gateway-cfg | grep -q 'vendor = test'")
        self.assertRunOk("test ! -e /etc/init.d/S99supervisord")

        # No server can be reached, and that must not matter to what runs.
        end = time.time() + self.patience * self.emulator.timeout_multiplier
        while True:
            output, _ = self.emulator.run("supervisorctl status")
            running = [line.split()[0] for line in output if "RUNNING" in line]
            if sorted(running) == ["gmq", "gwe"]:
                break
            self.assertLess(time.time(), end, output)
            time.sleep(2)

        # What dies is started again.
        self.assertRunOk("kill -9 $(supervisorctl pid gwe)")
        time.sleep(10 * self.emulator.timeout_multiplier)
        self.assertRunOk("supervisorctl status gwe | grep -q RUNNING")
        self.assertRunOk("/etc/init.d/S99gwe stop", timeout=60)
