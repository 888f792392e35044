# make cross: the agent for another architecture, by Debian's cross compiler and Debian's Rust, into target/cross/TARGET/FEATURES/gwe.
# Nothing is installed; what is missing is named. make cross-test builds for each of CROSS_TARGETS, and runs what was built under qemu-user.
#
# TARGET     armv7 or aarch64
# FEATURES   none or tls-openssl

TARGET ?=
FEATURES ?= tls-openssl
CROSS_TARGETS ?= aarch64 armv7

.PHONY: cross cross-test
cross:
	tools/cross.sh "$(TARGET)" "$(FEATURES)"

# The black-box tests that ask the most of an architecture; what needs root or another machine's tools stays with `make test`.
CROSS_TESTS = cli cli_engine cli_developer gmq_forward gmq_cli transport_tls

cross-test: murano
	for target in $(CROSS_TARGETS); do tools/cross.sh $$target; tests/cross/run.sh $$target \
		cargo test --locked --no-fail-fast --manifest-path tests/Cargo.toml $(addprefix --test ,$(CROSS_TESTS)) || exit 1; done
