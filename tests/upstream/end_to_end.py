"""Supervisor's own end-to-end tests (supervisor/tests/test_end_to_end.py of its package) on another supervisord and supervisorctl.

Usage: end_to_end.py FOLDER   FOLDER has links `supervisord` and `supervisorctl`; a copy of the package with the one file that it lacks is made in it.

Nothing of Supervisor is changed: what its tests spawn is swapped here, at run time. Three of its 27 tests are about other programs (pidproxy and
echo_supervisord_conf) and are left out.
"""

import fcntl
import importlib
import os
import shutil
import sys
import unittest

OTHER_PROGRAMS = ("pidproxy", "echo_supervisord_conf")
# fixtures/issue-565.conf runs it; the package is made without it. It has to say what the test looks for, until it is stopped.
HELLO = "#!/bin/bash\nn=0\nwhile [ $n -lt 600 ]; do\n  let n=n+1\n  echo \"The \\xC3\\x98resund bridge ends in Malm\\xC3\\xB6 - $n\"\n  sleep 1\ndone\n"


def copy_of_the_package(folder):
    import supervisor

    place = os.path.join(folder, "package")
    shutil.copytree(os.path.dirname(supervisor.__file__), os.path.join(place, "supervisor"))
    with open(os.path.join(place, "supervisor/tests/fixtures/hello.sh"), "w") as file:
        file.write(HELLO.replace("\\xC3\\x98", "Ø").replace("\\xC3\\xB6", "ö"))
    for name in [name for name in sys.modules if name.split(".")[0] == "supervisor"]:
        del sys.modules[name]
    sys.path.insert(0, place)


def swap(folder):
    import pexpect

    spawn = pexpect.spawn

    def other(command, args=(), **rest):
        args = list(args)
        if args[:1] == ["-m"] and args[1] in ("supervisor.supervisord", "supervisor.supervisorctl"):
            command = os.path.join(folder, args[1].split(".")[1])
            args = args[2:]
        args = [arg.replace("'%s' -m supervisor.supervisorctl" % sys.executable, os.path.join(folder, "supervisorctl")) for arg in args]
        return spawn(command, args, **rest)

    pexpect.spawn = other


def tests_of(suite):
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from tests_of(one)
        elif not any(name in one.id() for name in OTHER_PROGRAMS):
            yield one


def main():
    folder = os.path.abspath(sys.argv[1])
    os.environ["END_TO_END"] = "1"
    # What its fixtures call is `python`, by which name not every machine has one.
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    # Where logs without a name go. In /tmp another supervisord, which any test may start, takes them for leftovers of its own.
    os.environ["TMPDIR"] = folder
    copy_of_the_package(folder)
    # Its sockets have names of their own in /tmp: one run at a time.
    lock = open("/tmp/gwe-upstream-end-to-end.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    swap(folder)
    module = importlib.import_module("supervisor.tests.test_end_to_end")
    tests = list(tests_of(unittest.defaultTestLoader.loadTestsFromModule(module)))
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(tests))
    print("%d of %d pass" % (result.testsRun - len(result.failures) - len(result.errors), result.testsRun))
    return 0 if result.wasSuccessful() and result.testsRun >= 24 else 1


if __name__ == "__main__":
    sys.exit(main())
