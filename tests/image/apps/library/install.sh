#!/bin/sh
echo "library $(date +%s)" >>/var/lib/gwe/test-installs
