# make fuzz: each parser of bytes from outside for FUZZ_SECONDS, on the stable toolchain that all else is built with. fuzz/README.md says what
# it needs.

FUZZ_SECONDS ?= 30
FUZZ_TARGETS ?= $(sort $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs))))

.PHONY: fuzz
# The sanitizers are flags that a stable compiler has, and takes when it is told so.
fuzz: export RUSTC_BOOTSTRAP = 1
# Programs without libraries have no place for a sanitizer's.
fuzz: export GWE_WITHOUT_SLEEPER = 1
fuzz: export GWE_WITHOUT_CORE = 1
fuzz:
	@if ! cargo fuzz --version >/dev/null 2>&1; then echo "skipped: make fuzz: needs cargo-fuzz (cargo install cargo-fuzz)"; exit 0; fi; \
	for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$target && \
		cargo fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=1 || exit 1; \
	done
