#!/bin/sh
# Long enough for a power cut to fall into it.
echo "hello @VERSION@ is being installed"
sleep 1
echo "hello.@VERSION@ $(date +%s)" >>/var/lib/gwe/test-installs
