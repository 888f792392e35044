#!/bin/sh
# Runs beside the agent's new version, before that goes on trial: one that cannot run here, or is not what the tarball's name says, costs
# no trial. GWE_APP_VERSION is the version in the tarball's name. Nothing is copied anywhere: the agent runs where it was unpacked.

found=$(./gwe --version 2>&1) || {
	echo "this gwe does not run on this machine ($(uname -m)): $found"
	exit 1
}
if [ "$found" != "$GWE_APP_VERSION" ]; then
	echo "the tarball is named v$GWE_APP_VERSION, but the gwe in it is v$found: name the tarball after its agent"
	exit 1
fi
# The core of hosting, where it came along: asked for nothing, it says how it is used and ends with 2.
if [ -e hosting-core ] && ! { ./hosting-core --keep >/dev/null 2>&1; [ "$?" = 2 ]; }; then
	echo "the hosting-core beside it does not run on this machine ($(uname -m))"
	exit 1
fi
echo "gwe v$found runs on this machine"
