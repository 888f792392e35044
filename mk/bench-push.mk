# make bench-push: how soon an order is seen by a gateway that listens, and what listening costs. ORDERS: how many are timed.

ORDERS ?= 50

.PHONY: bench-push
bench-push: build
	cargo build --quiet --locked --manifest-path tests/Cargo.toml --features benches --bin bench-push
	GWE_BIN=$(or $(AGENT),$(RELEASED)) tests/target/debug/bench-push $(ORDERS)
