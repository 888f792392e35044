#!/bin/sh
echo "recorder $(date +%s)" >>/var/lib/gwe/test-installs
