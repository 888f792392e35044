# make test: everything that a change must pass. Each part can be run alone.

FEATURES_OPENSSL := --no-default-features --features tls-openssl
# Where there is no OpenSSL to build against, the parts that need it say so.
HAS_OPENSSL := $(shell pkg-config --exists openssl 2>/dev/null && echo yes)
SHELL_SCRIPTS = $(shell git ls-files --cached --others --exclude-standard | xargs awk 'FNR == 1 { if (/^\#!.*[/ ](ba)?sh$$/) print FILENAME; nextfile }' 2>/dev/null)

.PHONY: test lint lint-rust lint-shell unit black-box
test: lint unit black-box check-images

lint: lint-rust lint-shell

lint-rust:
	cargo fmt --check
	cargo fmt --check --manifest-path tests/Cargo.toml
	cargo clippy --quiet --locked --all-targets --no-default-features -- -D warnings
ifeq ($(HAS_OPENSSL),yes)
	cargo clippy --quiet --locked --all-targets $(FEATURES_OPENSSL) -- -D warnings
else
	@echo "skipped: clippy with tls-openssl: needs OpenSSL's headers and pkg-config"
endif
	cargo clippy --quiet --locked --all-targets -- -D warnings
	cargo clippy --quiet --locked --all-targets --manifest-path tests/Cargo.toml -- -D warnings

lint-shell:
	@if command -v shellcheck >/dev/null; then shellcheck $(SHELL_SCRIPTS); else echo "skipped: shellcheck is not installed"; fi

unit:
	cargo test --quiet --locked --no-default-features

# The real binary from outside, with the real supervisord and a local cloud.
black-box: build .venv/ready
	GWE_SUPERVISORD=$(CURDIR)/.venv/bin/supervisord cargo test --locked --manifest-path tests/Cargo.toml
