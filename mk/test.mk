# make test: everything that a change must pass, and at the end how long what took and what was skipped. Each part can be run alone.
# make test-long: what takes minutes by nature.
# make test-skipped: once more what the last make test skipped, where this machine has got what it needs since.

FEATURES_OPENSSL := --no-default-features --features tls-openssl
# Whether there is an OpenSSL to build against.
HAS_OPENSSL := $(shell pkg-config --exists openssl 2>/dev/null && echo yes)
# All of the agent's own code: no line of it is compiled for one of the two TLS features alone, and their libraries cost minutes.
FEATURES_BUT_TLS := --no-default-features --features ddi,developer-tools
# The agent that is tested from outside. The unit tests beside it leave one of their own in target/debug, without TLS and hawkBit.
RELEASED = $(abspath $(or $(CARGO_TARGET_DIR),target))/release/gwe
RUST_VERSION = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
SHELL_SCRIPTS = $(shell git ls-files --cached --others --exclude-standard | xargs awk 'FNR == 1 { if (/^\#!.*[/ ](ba)?sh$$|^\# shellcheck shell=/) print FILENAME; nextfile }' 2>/dev/null)

# What hosts by our own supervisord in make test, and by the one of Python in make test-long.
ON_PYTHON = supervisor:: faults_hosting:: otau:: roll_back:: probed:: killed:: self_update::a_good self_update::a_version_that_crashes

.PHONY: test test-long test-skipped lint lint-rust lint-shell unit black-box
test:
	tests/all.sh lint unit check-images -- black-box

# What takes minutes by nature: tests that are ignored else.
test-long: export GWE_LONG = 1
test-long: export GWE_BIN ?= $(RELEASED)
test-long: build venv
	tests/cargo-test.sh long --locked --no-fail-fast --manifest-path tests/Cargo.toml --test it -- --ignored
	@if [ -e .venv/bin/supervisord ]; then set -x; export GWE_SUPERVISORD=$(CURDIR)/.venv/bin/supervisord RUST_TEST_THREADS=12; \
	arguments="--locked --no-fail-fast --manifest-path tests/Cargo.toml --test it"; \
	tests/cargo-test.sh long-python $$arguments -- $(ON_PYTHON) || tests/again.sh long-python $$arguments; fi
	@if [ -e .venv/ready ]; then .venv/bin/python -m unittest discover -s tests/images -p test_dist.py -v; fi

test-skipped:
	@names=$$(tests/report.py names target/test/skipped | tr '\n' ' '); \
	if [ -n "$$names" ]; then TESTS="$$names" tests/all.sh lint-shell unit black-box check-images; else echo "nothing was skipped"; fi

lint: lint-rust lint-shell

lint-rust:
	cargo fmt --check
	cargo fmt --check --manifest-path tests/Cargo.toml
	cargo clippy --quiet --locked --no-default-features -- -D warnings
	cargo clippy --quiet --locked --all-targets $(FEATURES_BUT_TLS) -- -D warnings
	cargo clippy --quiet --locked --all-targets --all-features --manifest-path tests/Cargo.toml -- -D warnings
	@mkdir -p target/lint
	CARGO_PKG_RUST_VERSION=$(RUST_VERSION) clippy-driver --edition 2021 --crate-name hosting_core -C panic=abort -D warnings --emit=metadata --out-dir target/lint \
		src/hosting/core/main.rs
	tools/unused.py

lint-shell:
	@if command -v shellcheck >/dev/null; then shellcheck -x $(SHELL_SCRIPTS); \
	else why="needs shellcheck"; echo "skipped: $$why"; [ -z "$$GWE_SKIPPED" ] || printf 'lint-shell\t%s\n' "$$why" >>"$$GWE_SKIPPED"; fi

# TESTS: names of tests, as they are printed; else all.
TESTS ?=
ONLY = $(if $(strip $(TESTS)),-- --exact $(TESTS))

unit: venv
	tests/cargo-test.sh unit --locked $(FEATURES_BUT_TLS) --lib $(ONLY)

# The real binary from outside, with the real supervisord and a local cloud. Most of these tests wait most of the time.
black-box: export RUST_TEST_THREADS ?= 20
black-box: export GWE_BIN ?= $(RELEASED)
black-box: build venv
	arguments="--locked --no-fail-fast --manifest-path tests/Cargo.toml --lib --bins --tests"; \
	tests/cargo-test.sh black-box $$arguments $(ONLY) || tests/again.sh black-box $$arguments

# What others made to drive supervisord, on the real one and ours: see the script. It fetches 50 MB from PyPI, once.
.PHONY: field-tools
field-tools: build
	python3 tests/upstream/field_tools.py $(RELEASED) target/field-tools
