#!/bin/sh
# Runs once on the gateway, in the folder that the tarball was unpacked in.
set -eu
echo "installing $GWE_APP_NAME $GWE_APP_VERSION on $(uname -n)"
chmod +x hello.sh
