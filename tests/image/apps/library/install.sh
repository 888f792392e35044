#!/bin/sh
echo "BEGIN library.@VERSION@" >/dev/hvc1
echo "END library.@VERSION@" >/dev/hvc1
