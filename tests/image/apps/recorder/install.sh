#!/bin/sh
echo "BEGIN recorder.@VERSION@" >/dev/hvc1
echo "END recorder.@VERSION@" >/dev/hvc1
