# make fuzz: each parser of bytes from outside for FUZZ_SECONDS. fuzz/README.md says what it needs.

FUZZ_SECONDS ?= 30
FUZZ_TARGETS ?= $(sort $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs))))

.PHONY: fuzz
fuzz:
	@if ! cargo +nightly --version >/dev/null 2>&1; then echo "skipped: make fuzz: needs a nightly toolchain"; exit 0; fi; \
	if ! cargo +nightly fuzz --version >/dev/null 2>&1; then echo "skipped: make fuzz: needs cargo-fuzz"; exit 0; fi; \
	for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$target && \
		cargo +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=1 || exit 1; \
	done
