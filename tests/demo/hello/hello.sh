#!/bin/sh
# A long-running app: says its greeting every second.
while :; do
	cat greeting.txt
	sleep 1
done
