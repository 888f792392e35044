# make endurance N=10000: so many check-ins against a server that fails in every way; nothing of what stays resident may grow.

N = 10000

.PHONY: endurance
endurance: build
	ENDURANCE=$(N) GWE_BIN=$(CURDIR)/target/release/gwe cargo test --manifest-path tests/Cargo.toml --test endurance -- --nocapture
