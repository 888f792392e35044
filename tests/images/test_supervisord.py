"""The installed configuration under the real supervisord, at its real paths, as the init scripts start it.

The agent is stood in for by a script here: what is asked is whether supervisord, its configuration and the scripts around it do what
an unattended gateway needs. The image test runs the real agent.
"""

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
        self.must("rm -rf /etc/supervisor /etc/supervisord.conf /etc/supervisor.d /etc/gwe /var/lib/gwe /usr/etc/supervisord.conf")
        for command, module in (("supervisord", "supervisord"), ("supervisorctl", "supervisorctl")):
            self.write(f"/usr/bin/{command}", ENTRY_POINT.format(python=python, module=module), 0o755)
        # rescue asks the python3 that the image's supervisor runs on.
        self.write("/usr/local/bin/python3", f'#!/bin/sh\nexec {python} "$@"\n', 0o755)
        self.write(DISTRIBUTIONS[distribution], DISTRIBUTION_CONF)
        self.install(STAND_IN, "INIT=sysv", "PRODUCT_ID=p1", "SERIAL=file:/etc/serial")
        # The same waits, shorter.
        self.must("sed -i 's/startsecs = .*/startsecs = 1/' /etc/gwe/supervisor.d/*.conf; sed -i 's/^PAUSE=.*/PAUSE=1/' /usr/libexec/gwe/supervise")
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


class UnderSupervisord:
    """The same expectations for each version of supervisor; the classes below say which."""

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
        self.assertEqual(left, sorted(["good.conf"] + [f"{name}.conf.broken" for name in damage]))
        self.assertIn("no-such-user", gateway.must("cat /var/log/supervise.log"), "the log says what was wrong")

    def test_a_log_folder_that_a_boot_emptied_is_made_again(self):
        gateway = self.gateway
        gateway.write("/var/lib/gwe/supervisor.d/app.conf", APP.format(name="app").replace("/var/log/", "/var/log/app/deep/"))
        gateway.must("/etc/init.d/gwe start")
        gateway.running("gwe", "app")
        gateway.must("test -d /var/log/app/deep && ls /var/lib/gwe/supervisor.d/app.conf")


class FromDebian(UnderSupervisord, unittest.TestCase):
    """4.2.5, which scarthgap and Buildroot have, beside Buildroot's own configuration."""

    python = "/usr/bin/python3"
    distribution = "buildroot"


class FromPyPI(UnderSupervisord, unittest.TestCase):
    """4.3.0, which wrynose has, beside Yocto's own configuration."""

    python = sys.executable
    distribution = "yocto"


if __name__ == "__main__":
    unittest.main()
