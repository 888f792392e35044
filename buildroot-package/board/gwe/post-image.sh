#!/bin/sh
# Puts a blank data disk beside the read-only root: gwe formats it at first boot.
set -eu

truncate -s 64M "$BINARIES_DIR/data.img"
