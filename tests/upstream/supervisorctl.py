#!/usr/bin/env python3
"""supervisor's own supervisorctl for many commands: it is imported once, and each command runs in a child of this process, as one of its own would.

A line of standard input is a command, JSON: its `arguments`, the program's name first, and the `files` that are its standard input, output and
error. The answer is a line with its exit status.
"""

import json
import os
import sys

from supervisor import supervisorctl

MODES = [os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_TRUNC]


def become(command):
    """Never returns: the command's end is this process's."""
    for number, (path, mode) in enumerate(zip(command["files"], MODES)):
        os.dup2(os.open(path, mode, 0o600), number)
    # What was read ahead of the other standard input is not the command's.
    sys.stdin = open(0, closefd=False)
    sys.argv = command["arguments"]
    sys.exit(supervisorctl.main())


while line := sys.stdin.readline():
    child = os.fork()
    if child == 0:
        become(json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
