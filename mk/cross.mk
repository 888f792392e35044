# make cross: the agent for another architecture, by Debian's cross compiler and Debian's Rust, into target/cross/TARGET/FEATURES/gwe.
# Nothing is installed; what is missing is named. make cross-test builds for each of CROSS_TARGETS, and runs what was built under qemu-user.
#
# TARGET     armv7 or aarch64
# FEATURES   none or tls-openssl

TARGET ?=
FEATURES ?= tls-openssl
CROSS_TARGETS ?= aarch64 armv7

.PHONY: cross cross-test year-2040 cgroup-test
cross:
	tools/cross.sh "$(TARGET)" "$(FEATURES)"

# The black-box tests that ask the most of an architecture. What measures memory or threads would measure qemu-user's; the one that is skipped by
# name waits for minutes there. What is tested has the developer's tools too, whose tests these are. A word is looked for anywhere in a name, so what only ends like one of them is skipped, too.
CROSS_TESTS = cli:: cli_engine:: cli_developer:: gmq_forward:: transport_tls::

cross-test: murano
	for target in $(CROSS_TARGETS); do MORE_FEATURES=developer-tools tools/cross.sh $$target || [ $$? = 2 ] || exit 1; tests/cross/run.sh $$target \
		cargo test --locked --no-fail-fast --manifest-path tests/Cargo.toml --test it -- $(CROSS_TESTS) --skip a_cut_inside_tls --skip gmq_cli:: || exit 1; done

# A whole emulated armv7 machine in the year 2040: see the script. Needs qemu-system-arm.
year-2040:
	tests/cross/year-2040.sh

# Limits by cgroup v2, in a machine that has it: see the script. Needs qemu-system-x86_64, and the agent of make.
cgroup-test:
	tests/cross/cgroup.sh
