# make bench-queue: what gmq costs in flash, time and memory, beside SQLite, mosquitto and a bare fdatasync measured in the same run. What needs
# root, a loop device or mosquitto is left out by name where that is missing. PARTS: some of flash day memory drain; else all.

PARTS ?=

.PHONY: bench-queue
bench: bench-queue
bench-queue: build
	cargo build --quiet --locked --manifest-path tests/Cargo.toml --features benches --bin bench-queue --bin murano
	GWE_BIN=$(RELEASED) tests/target/debug/bench-queue $(PARTS)
