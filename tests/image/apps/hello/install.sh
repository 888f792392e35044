#!/bin/sh
echo "BEGIN hello.@VERSION@" >/dev/hvc1
echo "hello @VERSION@ is being installed"
# Long enough for a power cut to fall into it.
sleep 1
echo "END hello.@VERSION@" >/dev/hvc1
