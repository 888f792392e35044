#!/bin/sh
echo "hello, version @VERSION@"
while :; do sleep 5; done
