# make bench-delta: what updates of real software cost by delta, beside what the field has, in one run: bytes, and CPU and memory on the gateway. The
# packages are fetched from their registries into target/bench-delta, and stay there. DELTA_AGENTS="OLD NEW": two builds of the agent, instead of the
# present one and that of the commit DELTA_BEFORE. JSON=1 for machines.

DELTA_BEFORE ?= HEAD~20

.PHONY: bench-delta
bench-delta: footprint-build-tls-openssl murano
	cargo build --quiet --release --locked
	cd tests && python3 -m measure.bench_delta --before $(DELTA_BEFORE) $(if $(DELTA_AGENTS),--agents $(DELTA_AGENTS)) $(if $(JSON),--json)
