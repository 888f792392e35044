# make power-loss: cut the power of a gateway at work, on a disk of which every write and flush is logged, and check what is left.
# docs/reliability.md says what it shows. Needs root, loop devices, FUSE and qemu-storage-daemon; without them it says what it skips.
#
# STATES     crash states of each workload
# SEED       what chance starts from; else the clock's
# WORKLOAD   one of `power-loss --list`; else all

STATES ?= 60
SEED ?=
WORKLOAD ?=

.PHONY: power-loss
power-loss: build .venv/ready
	cargo build --quiet --locked --manifest-path tests/Cargo.toml --bin power-loss
	GWE_BIN=$(RELEASED) GWE_SUPERVISORD=$(CURDIR)/.venv/bin/supervisord tests/target/debug/power-loss --states $(STATES) $(if $(SEED),--seed $(SEED)) $(if $(WORKLOAD),--workload $(WORKLOAD))
