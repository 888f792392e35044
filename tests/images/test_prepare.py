"""What runs before supervisord: the data partition, a factory reset, the serial number."""

import unittest

import sandbox

STAND_IN = """#!/bin/sh
case $1 in
--gateway-cfg) printf '[device]\\nuuid = %s\\n' "$(cat /var/lib/gwe/uuid 2>/dev/null || echo "''")" ;;
--set-uuid) echo "$2" >/var/lib/gwe/uuid ;;
esac
"""

PREPARE = "/usr/libexec/gwe/prepare"


class Furnished(unittest.TestCase):
    """A sandbox with the installed scripts."""

    def setUp(self):
        if sandbox.why_not():
            sandbox.skip(sandbox.why_not())
        self.gateway = sandbox.Sandbox()
        self.addCleanup(self.gateway.close)
        self.gateway.must("rm -rf /etc/gwe /var/lib/gwe")
        self.gateway.install(STAND_IN)


class EachStart(Furnished):
    def test_a_factory_reset_leaves_nothing_and_asks_for_no_second_one(self):
        gateway = self.gateway
        gateway.write("/var/lib/gwe/Gateway.cfg", "[device]\ncik = secret\n")
        gateway.write("/var/lib/gwe/supervisor.d/app.conf", "x")
        gateway.write("/var/lib/gwe/.hidden", "x")
        gateway.write("/var/lib/gwe/factory-reset", "")
        # What a thief of a revoked key would want gone stays (docs/security.md, "Keys that age").
        kept = ["last_known_time", "security/events.json", "security/key_set.json"]
        for name in kept:
            gateway.write(f"/var/lib/gwe/{name}", "kept")
        self.assertIn("factory reset", gateway.must(PREPARE))
        left = {name.removeprefix("/var/lib/gwe/") for name in gateway.must("find /var/lib/gwe -mindepth 1").split()}
        self.assertEqual(left, {"supervisor.d", "security", "security/factory-reset", *kept})
        self.assertEqual(gateway.must("cat /var/lib/gwe/security/factory-reset"), gateway.must("cat /proc/sys/kernel/random/boot_id"))
        for name in kept:
            self.assertEqual(gateway.must(f"cat /var/lib/gwe/{name}"), "kept")
        gateway.write("/var/lib/gwe/Gateway.cfg", "kept")
        self.assertEqual(gateway.must(PREPARE), "", "a quiet start says nothing")
        self.assertEqual(gateway.must("cat /var/lib/gwe/Gateway.cfg"), "kept")

    def test_the_serial_number_is_taken_once_from_where_the_integrator_says(self):
        gateway = self.gateway
        self.assertIn("gives no serial number", gateway.must(PREPARE, GWE_SERIAL="file:/nowhere"))
        self.assertIn("must be file:PATH", gateway.must(PREPARE, GWE_SERIAL="eth0"))
        gateway.must(PREPARE, GWE_SERIAL="command:printf 'SN 7\\0\\n'")
        self.assertEqual(gateway.must("cat /var/lib/gwe/uuid"), "SN7\n")
        gateway.must(PREPARE, GWE_SERIAL="command:echo other")
        self.assertEqual(gateway.must("cat /var/lib/gwe/uuid"), "SN7\n", "a number that is set stays")

    def test_log_folders_are_made_where_fragments_want_them(self):
        gateway = self.gateway
        gateway.write("/var/lib/gwe/supervisor.d/a.conf", "stdout_logfile = /var/log/a/b/c.log\n stderr_logfile:/var/log/d/e.log ; x\n")
        gateway.must(PREPARE)
        gateway.must("test -d /var/log/a/b && test -d /var/log/d && test ! -e /var/log/a/b/c.log")


class DataPartition(Furnished):
    """On a loop device of 16 MiB, with what the field does to it."""

    def setUp(self):
        super().setUp()
        self.gateway.must("truncate -s 16M /tmp/disk")
        # Others on this machine may take the same free device in the same moment.
        status, device = self.gateway.run("for try in 1 2 3 4 5; do losetup --find --show /tmp/disk 2>/dev/null && exit; sleep 0.$try; done; losetup --find --show /tmp/disk")
        if status != 0:
            sandbox.skip(f"needs a loop device ({device.strip()})")
        self.device = device.strip()
        # The namespaces go by themselves; a loop device is the machine's.
        self.addCleanup(self.gateway.run, f"umount /var/lib/gwe; losetup --detach {self.device}")

    def start(self, **environment):
        return self.gateway.must(PREPARE, **{"GWE_DATA": self.device, **environment})

    def mounted(self):
        return self.gateway.run(f"grep '^{self.device} /var/lib/gwe ext4 ' /proc/mounts")[0] == 0

    def test_a_blank_one_is_formatted_at_first_boot_and_kept_from_then_on(self):
        self.assertIn("formatting it", self.start())
        self.assertTrue(self.mounted())
        self.gateway.write("/var/lib/gwe/kept", "yes")
        self.start()
        self.gateway.must("umount /var/lib/gwe")
        self.assertNotIn("formatting", self.start())
        self.assertEqual(self.gateway.must("cat /var/lib/gwe/kept"), "yes")

    def test_a_shell_that_prefers_its_own_applets_formats_with_a_journal_too(self):
        if self.gateway.run("command -v busybox")[0] != 0:
            sandbox.skip("needs busybox")
        # Debian's takes its own mke2fs before the one in PATH, as images do that are built like it.
        self.gateway.must(f"sed -i '1s|.*|#!/bin/busybox sh|' {PREPARE}")
        self.assertIn("formatting it", self.start())
        self.assertTrue(self.mounted())
        self.assertIn("has_journal", self.gateway.must(f"dumpe2fs -h {self.device} 2>/dev/null"))

    def test_formatting_that_lost_power_half_way_is_done_again(self):
        self.gateway.must(f"mke2fs -q -F -t ext4 {self.device} && dd if=/dev/zero of={self.device} bs=1M count=9 conv=notrunc,fsync")
        self.assertIn("formatting it", self.start())
        self.assertTrue(self.mounted())

    def test_a_lost_superblock_is_repaired_and_the_data_kept(self):
        self.start()
        self.gateway.write("/var/lib/gwe/kept", "yes")
        self.gateway.must(f"umount /var/lib/gwe && dd if=/dev/zero of={self.device} bs=1024 seek=1 count=1 conv=notrunc,fsync")
        self.assertNotIn("formatting", self.start())
        self.assertEqual(self.gateway.must("cat /var/lib/gwe/kept"), "yes")

    def test_another_file_system_is_neither_formatted_nor_repaired_into_what_was_there_before(self):
        self.gateway.must(f"mke2fs -q -F -t ext4 -b 1024 {self.device} && wipefs -qa {self.device} && mkswap {self.device}")
        self.assertIn("cannot mount", self.start())
        self.assertFalse(self.mounted())
        self.assertIn('TYPE="swap"', self.gateway.must(f"blkid -p {self.device}"))

    def test_a_blkid_that_tells_no_types_leads_to_the_same(self):
        # As BusyBox is built by default; and a partition table's own names are no file system.
        self.gateway.write("/usr/local/sbin/blkid", "#!/bin/sh\n/sbin/blkid \"$@\" | sed -e 's/ TYPE=[^ ]*//' -e 's/$/ PARTUUID=\"x-04\"/'\n", 0o755)
        path = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.assertIn("formatting it", self.start(PATH=path))
        self.gateway.must("umount /var/lib/gwe")
        self.assertNotIn("formatting", self.start(PATH=path))
        self.gateway.must(f"umount /var/lib/gwe && wipefs -qa {self.device} && mkswap {self.device}")
        self.assertIn("cannot mount", self.start(PATH=path))
        self.assertIn('TYPE="swap"', self.gateway.must(f"/sbin/blkid -p {self.device}"))

    def test_one_that_cannot_be_read_is_not_taken_for_a_blank_one(self):
        self.start()
        self.gateway.write("/var/lib/gwe/kept", "yes")
        self.gateway.must("umount /var/lib/gwe")
        # A flash that does not answer while the system starts.
        for program in ("blkid", "dd", "e2fsck", "mount"):
            self.gateway.write(f"/usr/local/sbin/{program}", "#!/bin/sh\necho Input/output error >&2\nexit 8\n", 0o755)
        said = self.start(PATH="/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin")
        self.assertIn("cannot mount", said)
        self.assertNotIn("formatting", said)
        self.assertNotIn("formatting", self.start())
        self.assertEqual(self.gateway.must("cat /var/lib/gwe/kept"), "yes")

    def test_it_is_found_by_its_label(self):
        self.start()
        self.gateway.must("umount /var/lib/gwe")
        self.gateway.must("sed -i s/^DEVICE_WAIT=.*/DEVICE_WAIT=1/ /usr/libexec/gwe/prepare")
        self.assertIn("did not appear within 1 s", self.start(GWE_DATA="LABEL=other"))
        self.assertFalse(self.mounted())
        self.start(GWE_DATA="LABEL=gwe-data")
        self.assertTrue(self.mounted())

    def test_a_reset_on_a_partition_of_its_own_keeps_what_the_file_system_needs(self):
        self.start()
        self.gateway.write("/var/lib/gwe/factory-reset", "")
        self.start()
        self.assertEqual(self.gateway.must("ls /var/lib/gwe").split(), ["lost+found", "security", "supervisor.d"])


if __name__ == "__main__":
    unittest.main()
