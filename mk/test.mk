# make test: everything that a change must pass, and at the end how long what took and what was skipped. Each part can be run alone.
# make test-long: what takes minutes by nature.
# make test-skipped: once more what the last make test skipped, where this machine has got what it needs since.

FEATURES_OPENSSL := --no-default-features --features tls-openssl
# Whether there is an OpenSSL to build against, which is quicker than building the other TLS once more.
HAS_OPENSSL := $(shell pkg-config --exists openssl 2>/dev/null && echo yes)
# The agent that is tested from outside. The unit tests beside it leave one of their own in target/debug, without TLS and hawkBit.
RELEASED = $(abspath $(or $(CARGO_TARGET_DIR),target))/release/gwe
SHELL_SCRIPTS = $(shell git ls-files --cached --others --exclude-standard | xargs awk 'FNR == 1 { if (/^\#!.*[/ ](ba)?sh$$|^\# shellcheck shell=/) print FILENAME; nextfile }' 2>/dev/null)

.PHONY: test test-long test-skipped lint lint-rust lint-shell unit black-box
test:
	tests/all.sh lint unit check-images -- black-box

# What takes minutes by nature: tests that are ignored else.
test-long: export GWE_LONG = 1
test-long: export GWE_BIN ?= $(RELEASED)
test-long: build venv
	tests/cargo-test.sh long --locked --no-fail-fast --manifest-path tests/Cargo.toml --test it -- --ignored
	@if [ -e .venv/ready ]; then .venv/bin/python -m unittest discover -s tests/images -p test_dist.py -v; fi

test-skipped:
	@names=$$(tests/report.py names target/test/skipped | tr '\n' ' '); \
	if [ -n "$$names" ]; then TESTS="$$names" tests/all.sh lint-shell unit black-box check-images; else echo "nothing was skipped"; fi

lint: lint-rust lint-shell

lint-rust:
	cargo fmt --check
	cargo fmt --check --manifest-path tests/Cargo.toml
	cargo clippy --quiet --locked --all-targets --no-default-features -- -D warnings
# One of the two TLS features is enough: what differs between them is one line of Cargo.toml. Of the other one the build of the agent is there.
ifeq ($(HAS_OPENSSL),yes)
	cargo clippy --quiet --locked --all-targets $(FEATURES_OPENSSL) -- -D warnings
else
	tools/cargo.sh clippy --quiet --locked --release -- -D warnings
endif
	cargo clippy --quiet --locked --all-targets --manifest-path tests/Cargo.toml -- -D warnings

lint-shell:
	@if command -v shellcheck >/dev/null; then shellcheck -x $(SHELL_SCRIPTS); \
	else why="needs shellcheck"; echo "skipped: $$why"; [ -z "$$GWE_SKIPPED" ] || printf 'lint-shell\t%s\n' "$$why" >>"$$GWE_SKIPPED"; fi

# TESTS: names of tests, as they are printed; else all.
TESTS ?=
ONLY = $(if $(strip $(TESTS)),-- --exact $(TESTS))

unit: venv
	tests/cargo-test.sh unit --locked --no-default-features --lib --bins $(ONLY)

# The real binary from outside, with the real supervisord and a local cloud. Most of these tests wait most of the time.
black-box: export RUST_TEST_THREADS ?= 12
black-box: export GWE_BIN ?= $(RELEASED)
black-box: build venv
	tests/cargo-test.sh black-box --locked --no-fail-fast --manifest-path tests/Cargo.toml --lib --bins --tests $(ONLY)
