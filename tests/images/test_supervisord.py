"""The installed configuration under supervisord, the real one and ours, at its real paths, as the init scripts start it.

The agent is stood in for by a script here: what is asked is whether supervisord, its configuration and the scripts around it do what
an unattended gateway needs. The image test runs the real agent.
"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import sandbox

STAND_IN = """#!/bin/sh
case $1 in
--gateway-cfg) printf '[device]\\nuuid = %s\\n' "$(cat /var/lib/gwe/uuid 2>/dev/null || echo "''")" ;;
--set-uuid) echo "$2" >/var/lib/gwe/uuid ;;
*) echo "started by supervisord, proxy ${https_proxy:-none}"; exec sleep 1000 ;;
esac
"""

# What each distribution's own package puts where supervisorctl looks for it.
DISTRIBUTIONS = {
    "yocto": "/etc/supervisor/supervisord.conf",
    "buildroot": "/etc/supervisord.conf",
}

DISTRIBUTION_CONF = """[unix_http_server]
file = /var/run/supervisor.sock
[supervisord]
logfile = /var/log/other/supervisord.log
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix:///var/run/supervisor.sock
[include]
files = /nowhere/*.conf
"""

ENTRY_POINT = """#!{python}
import re, sys
from supervisor.{module} import main
sys.exit(main())
"""

CLEAN = "rm -rf /etc/supervisor /etc/supervisord.conf /etc/supervisor.d /etc/gwe /var/lib/gwe /usr/etc/supervisord.conf"
SETTINGS = ("INIT=sysv", "PRODUCT_ID=p1", "SERIAL=file:/etc/serial")

APP = "[program:{name}]\ncommand = sleep 1000\nstdout_logfile = /var/log/{name}.log\nstartsecs = 0\n"


class Gateway(sandbox.Sandbox):
    """A sandbox with the installed tree and one version of supervisor."""

    def __init__(self, python, distribution):
        super().__init__()
        try:
            self.furnish(python, distribution)
        except BaseException:
            self.close()
            raise

    def furnish(self, python, distribution):
        self.must(CLEAN)
        for command, module in (("supervisord", "supervisord"), ("supervisorctl", "supervisorctl")):
            self.write(f"/usr/bin/{command}", ENTRY_POINT.format(python=python, module=module), 0o755)
        # rescue asks the python3 that the image's supervisor runs on.
        self.write("/usr/local/bin/python3", f'#!/bin/sh\nexec {python} "$@"\n', 0o755)
        self.write(DISTRIBUTIONS[distribution], DISTRIBUTION_CONF)
        self.install(STAND_IN, *SETTINGS, "HOSTING=python")
        # The same waits, shorter.
        self.must("sed -i 's/^PAUSE=.*/PAUSE=1/' /usr/libexec/gwe/supervise")
        self.finish()

    def finish(self):
        self.must("sed -i 's/startsecs = .*/startsecs = 1/' /etc/gwe/supervisor.d/*.conf")
        self.write("/etc/serial", "SN-0042\n")
        self.must("echo https_proxy=http://127.0.0.1:3128 >>/etc/default/gwe")

    def run(self, command, timeout=60, **environment):
        environment.setdefault("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        return super().run(command, timeout, **environment)

    def running(self, *names, seconds=40):
        """Waits until plain `supervisorctl status` shows every name as RUNNING; returns {name: pid}."""
        def all_run(output):
            return all(re.search(rf"^{name} +RUNNING ", output, re.M) for name in names)
        output = self.wait_for("supervisorctl status", all_run, seconds)
        return {name: re.search(rf"^{name} +RUNNING +pid (\d+)", output, re.M)[1] for name in names}


class OwnGateway(Gateway):
    """With our own hosting, and nothing of Python."""

    def furnish(self, program, distribution):
        self.must(CLEAN)
        self.must("rm -f /usr/bin/supervisord /usr/bin/supervisorctl; find / -xdev -name 'python*' -path '*/bin/*' -exec chmod 000 {} +")
        self.install(STAND_IN, *SETTINGS, core=program.with_name("hosting-core"))
        # The agent is the script; what hosts it is the program under its other names.
        self.must(f"mkdir /opt/gwe && cp {program} /opt/gwe/gwe && ln -sf /opt/gwe/gwe /usr/bin/supervisord && ln -sf /opt/gwe/gwe /usr/bin/supervisorctl")
        self.finish()


class UnderSupervisord:
    """The same expectations for each supervisord; the classes below say which."""

    # What a broken fragment is called where it has kept supervisord from starting, and the log that says why.
    broken = ".conf.broken"
    log = "/var/log/supervise.log"

    def test_boot_stop_and_what_is_passed_on(self):
        gateway = self.gateway
        gateway.write("/etc/supervisor/conf.d/oem.conf", APP.format(name="oem"))
        gateway.must("/etc/init.d/gwe start")
        gateway.running("gwe", "gmq", "oem")
        self.assertIn("http://127.0.0.1:3128", gateway.must("cat /var/log/gwe.log"), "the environment reaches the agent")
        self.assertEqual(gateway.must("cat /var/lib/gwe/uuid"), "SN-0042\n", "the serial number was read at first boot")
        # From anywhere, as an operator types it.
        for folder in ("/", "/root", "/etc/gwe", "/etc"):
            self.assertIn("gwe ", gateway.must(f"cd {folder} && supervisorctl status"))
        gateway.must("/etc/init.d/gwe start && /etc/init.d/gwe status")
        gateway.must("/etc/init.d/gwe stop")
        self.assertEqual(gateway.run("/etc/init.d/gwe status")[0], 3)
        self.assertEqual(gateway.run("pgrep -fx 'sleep 1000'")[1], "", "a stop leaves nothing behind")

    def test_an_application_taken_up_at_run_time_is_back_after_a_boot(self):
        gateway = self.gateway
        gateway.must("/etc/init.d/gwe start")
        gateway.running("gwe")
        gateway.write("/var/lib/gwe/supervisor.d/app.conf", APP.format(name="app"))
        gateway.must("supervisorctl update")
        gateway.running("app")
        gateway.must("/etc/init.d/gwe restart")
        gateway.running("app", "gwe", "gmq")

    def test_what_dies_is_started_again_and_nothing_runs_twice(self):
        gateway = self.gateway
        gateway.write("/var/lib/gwe/supervisor.d/app.conf", APP.format(name="app"))
        gateway.must("/etc/init.d/gwe start")
        before = gateway.running("gwe", "gmq", "app")
        gateway.must(f"kill -9 {before['gwe']}")
        gateway.wait_for("supervisorctl pid gwe", lambda pid: pid.strip() not in ("0", before["gwe"]))
        gateway.must("kill -9 $(cat /var/run/supervisord.pid)")
        gateway.wait_for("supervisorctl pid gmq", lambda pid: pid.strip().isdigit() and pid.strip() not in ("0", before["gmq"]))
        gateway.running("gwe", "gmq", "app")
        self.assertEqual(len(gateway.must("pgrep -fx 'sleep 1000'").split()), 3, "the old supervisord's children are gone")

    def test_a_broken_fragment_does_not_keep_the_gateway_down(self):
        gateway = self.gateway
        gateway.write("/var/lib/gwe/supervisor.d/good.conf", APP.format(name="good"))
        damage = {
            "torn": "[program:torn]\ncommand = x\nuser",
            "zeroed": "\\000" * 64,
            "nouser": "[program:nouser]\ncommand = x\nuser = no-such-user\n",
            "nocommand": "[program:nocommand]\nautostart = true\n",
            "expansion": "[program:expansion]\ncommand = %(ENV_NOT_THERE)s\n",
        }
        for name, text in damage.items():
            gateway.write(f"/tmp/{name}", text)
            gateway.must(f'mkdir -p /var/lib/gwe/supervisor.d; printf "$(cat /tmp/{name} | sed s/%/%%/g)" >/var/lib/gwe/supervisor.d/{name}.conf')
        gateway.must("/etc/init.d/gwe start")
        gateway.running("gwe", "gmq", "good")
        left = gateway.must("ls /var/lib/gwe/supervisor.d").split()
        self.assertEqual(left, sorted(["good.conf"] + [f"{name}{self.broken}" for name in damage]))
        self.assertIn("no-such-user", gateway.must(f"cat {self.log}"), "the log says what was wrong")

    def test_a_log_folder_that_a_boot_emptied_is_made_again(self):
        gateway = self.gateway
        gateway.write("/var/lib/gwe/supervisor.d/app.conf", APP.format(name="app").replace("/var/log/", "/var/log/app/deep/"))
        gateway.must("/etc/init.d/gwe start")
        gateway.running("gwe", "app")
        gateway.must("test -d /var/log/app/deep && ls /var/lib/gwe/supervisor.d/app.conf")


class OfPython(UnderSupervisord):
    """Which version, the classes below say."""

    python = ""
    distribution = ""

    @classmethod
    def setUpClass(cls):
        if sandbox.why_not():
            sandbox.skip(sandbox.why_not())
        if subprocess.run([cls.python, "-c", "import supervisor"], capture_output=True).returncode != 0:
            sandbox.skip(f"needs supervisord of {cls.python}")

    def setUp(self):
        self.gateway = Gateway(self.python, self.distribution)
        self.addCleanup(self.gateway.close)


class FromDebian(OfPython, unittest.TestCase):
    """4.2.5, which scarthgap and Buildroot have, beside Buildroot's own configuration."""

    python = "/usr/bin/python3"
    distribution = "buildroot"


class FromPyPI(OfPython, unittest.TestCase):
    """4.3.0, which wrynose has, beside Yocto's own configuration."""

    python = sys.executable
    distribution = "yocto"


class Own(UnderSupervisord, unittest.TestCase):
    """Ours: a fragment that cannot be read is left out at boot, and stays."""

    broken = ".conf"
    log = "/var/log/supervisord.log"

    @classmethod
    def setUpClass(cls):
        if sandbox.why_not():
            sandbox.skip(sandbox.why_not())
        if "GWE_BIN" not in os.environ:
            sandbox.skip("needs an agent, named by GWE_BIN as make check-images does")

    def setUp(self):
        self.gateway = OwnGateway(pathlib.Path(os.environ["GWE_BIN"]), "buildroot")
        self.addCleanup(self.gateway.close)

    def test_no_shell_stays_and_what_an_application_left_behind_is_gone_before_a_new_start(self):
        gateway = self.gateway
        # In its parent's session, and deaf to what asks it to end.
        gateway.write("/usr/bin/leaves", "#!/bin/sh\n(trap '' TERM; while :; do sleep 77; done) &\nexec sleep 1000\n", 0o755)
        gateway.write("/var/lib/gwe/supervisor.d/app.conf", APP.format(name="app").replace("sleep 1000", "/usr/bin/leaves"))
        gateway.must("/etc/init.d/gwe start")
        gateway.running("gwe", "gmq", "app")
        before = set(gateway.must("pgrep -f leaves").split())
        keeper = gateway.must("cat /var/run/gwe-supervise.pid").strip()
        self.assertEqual(gateway.must(f"tr '\\0' ' ' </proc/{keeper}/cmdline"), "/usr/libexec/gwe/hosting-core --keep /usr/libexec/gwe/supervise ")
        self.assertEqual(gateway.must(f"cat /proc/{keeper}/task/{keeper}/children").split(), gateway.must("cat /var/run/supervisord.pid").split(), "and nothing between them")
        gateway.must("kill -9 $(cat /var/run/supervisord.pid)")
        gateway.wait_for("pgrep -f leaves", lambda pids: pids.strip() and not before & set(pids.split()))
        gateway.running("gwe", "gmq", "app")
        gateway.must("/etc/init.d/gwe stop")
        self.assertEqual(gateway.run("pgrep -x hosting-core")[1], "", "the keeper has ended, too")

    def test_an_inittab_may_start_it_as_well(self):
        gateway = self.gateway
        # init gives its children an environment of its own, and asks them to end by a SIGTERM.
        gateway.must("env -i setsid /usr/libexec/gwe/hosting-core --keep /usr/libexec/gwe/supervise >/dev/null 2>&1 & echo $! >/run/keeper")
        gateway.running("gwe", "gmq")
        self.assertEqual(gateway.must("cat /var/lib/gwe/uuid"), "SN-0042\n", "what /etc/default/gwe says is known")
        self.assertIn("http://127.0.0.1:3128", gateway.must("cat /var/log/gwe.log"))
        gateway.must("kill -TERM $(cat /run/keeper)")
        gateway.wait_for("pgrep -x hosting-core; echo left", lambda pids: pids.split()[0] == "left")

    def test_a_stop_waits_for_what_prepares_and_starts_nothing_then(self):
        gateway = self.gateway
        gateway.write("/usr/libexec/gwe/prepare", "#!/bin/sh\ntouch /run/begun\nsleep 3\ntouch /run/prepared\n", 0o755)
        gateway.must("/etc/init.d/gwe start")
        gateway.wait_for("ls /run", "begun")
        gateway.must("/etc/init.d/gwe stop")
        gateway.must("test -e /run/prepared")
        self.assertEqual(gateway.run("test -e /var/run/supervisord.pid")[0], 1)


if __name__ == "__main__":
    unittest.main()
