#!/bin/sh
# Usage: venv.sh REQUIREMENT…   Makes the project's own .venv and installs these requirements of pip into it. Where this Python cannot make
# one (Debian's has that in a package of its own, python3-venv) it says so and exits with 3.

set -eu
cd "$(dirname "$0")/.."

# Two parts of make test that run beside each other may both ask for it.
mkdir -p .venv
exec 9>.venv/lock
flock 9
if ! [ -x .venv/bin/python ]; then
	if python3 -c 'import ensurepip' 2>/dev/null; then
		python3 -m venv .venv
	elif python3 -c 'import venv' 2>/dev/null && python3 -m pip --version >/dev/null 2>&1; then
		python3 -m venv --without-pip .venv
	else
		echo "this Python cannot make a .venv, with which supervisord comes from PyPI: apt-get install python3-venv" >&2
		exit 3
	fi
fi
if .venv/bin/python -m pip --version >/dev/null 2>&1; then
	exec .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
fi
exec python3 -m pip --python .venv/bin/python install --quiet --disable-pip-version-check "$@"
