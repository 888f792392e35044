# make endurance N=10000: so many check-ins against a server that fails in every way; nothing of what stays resident may grow.

N = 10000

.PHONY: endurance
endurance: build
	ENDURANCE=$(N) GWE_BIN=$(RELEASED) cargo test --manifest-path tests/Cargo.toml --test it -- --include-ignored --nocapture endurance::

# make week DAYS=7 SEED=2026: so many days of a gateway's life at high speed, with supervisord, the queue, deploys, outages, kills and power cuts;
# a row for each midnight, and nothing may be more than at the first. docs/reliability.md has such a table.

DAYS = 7

.PHONY: week
week: build .venv/ready
	WEEK_DAYS=$(DAYS) WEEK_SEED=$(SEED) GWE_BIN=$(RELEASED) GWE_SUPERVISORD=$(CURDIR)/.venv/bin/supervisord \
		cargo test --locked --manifest-path tests/Cargo.toml --test it -- --include-ignored --nocapture week::
