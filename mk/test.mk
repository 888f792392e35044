# make test: everything that a change must pass. Each part can be run alone.

FEATURES_OPENSSL := --no-default-features --features tls-openssl
# Whether there is an OpenSSL to build against, which is quicker than building the other TLS once more.
HAS_OPENSSL := $(shell pkg-config --exists openssl 2>/dev/null && echo yes)
SHELL_SCRIPTS = $(shell git ls-files --cached --others --exclude-standard | xargs awk 'FNR == 1 { if (/^\#!.*[/ ](ba)?sh$$/) print FILENAME; nextfile }' 2>/dev/null)

.PHONY: test lint lint-rust lint-shell unit black-box
test: lint unit black-box check-images

lint: lint-rust lint-shell

lint-rust:
	cargo fmt --check
	cargo fmt --check --manifest-path tests/Cargo.toml
	cargo clippy --quiet --locked --all-targets --no-default-features -- -D warnings
# One of the two TLS features is enough: what differs between them is one line of Cargo.toml.
ifeq ($(HAS_OPENSSL),yes)
	cargo clippy --quiet --locked --all-targets $(FEATURES_OPENSSL) -- -D warnings
else
	cargo clippy --quiet --locked --all-targets -- -D warnings
endif
	cargo clippy --quiet --locked --all-targets --manifest-path tests/Cargo.toml -- -D warnings

lint-shell:
	@if command -v shellcheck >/dev/null; then shellcheck $(SHELL_SCRIPTS); else echo "skipped: shellcheck is not installed"; fi

unit:
	cargo test --quiet --locked --no-default-features

# The real binary from outside, with the real supervisord and a local cloud. Most of these tests wait most of the time.
black-box: export RUST_TEST_THREADS ?= 4
black-box: build .venv/ready
	GWE_SUPERVISORD=$(CURDIR)/.venv/bin/supervisord cargo test --locked --no-fail-fast --manifest-path tests/Cargo.toml
