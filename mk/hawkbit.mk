# make hawkbit-test: the agent against a real hawkBit 1.0.4 on loopback. It needs Java 17, and its executable jar: HAWKBIT_JAR, or Maven and a
# Maven Central that has it. make goosebit-test: the same against goosebit, another server of that interface, from PyPI; it needs Python 3.11.
# Each says "skipped" where it cannot run.
HAWKBIT := 1.0.4
HAWKBIT_JAR ?= target/hawkbit/hawkbit-update-server-$(HAWKBIT).jar
GOOSEBIT := target/goosebit

# make hawkbit-load: simulated gateways against it; GATEWAYS of them, SECONDS for each load.
GATEWAYS ?= 2000
SECONDS ?= 60

.PHONY: hawkbit-test hawkbit-load goosebit-test
hawkbit-load:
	@command -v java >/dev/null && [ -f "$(HAWKBIT_JAR)" ] || { echo "hawkbit-load needs java, and HAWKBIT_JAR=path of hawkbit-update-server-$(HAWKBIT).jar"; exit 2; }
	cargo build --quiet --locked --manifest-path tests/Cargo.toml --features benches --bin bench-hawkbit
	tests/hawkbit/load.py tests/target/debug/bench-hawkbit "$(HAWKBIT_JAR)" $(GATEWAYS) $(SECONDS)

hawkbit-test:
	@command -v java >/dev/null || { echo "skipped: hawkbit-test needs java"; exit 0; }; \
	if ! [ -f "$(HAWKBIT_JAR)" ]; then \
		command -v mvn >/dev/null || { echo "skipped: hawkbit-test needs HAWKBIT_JAR=path of hawkbit-update-server-$(HAWKBIT).jar, or mvn"; exit 0; }; \
		timeout 240 mvn -q -B dependency:copy -Dartifact=org.eclipse.hawkbit:hawkbit-update-server:$(HAWKBIT) \
			-DoutputDirectory=target/hawkbit -Dmdep.useBaseVersion=true >/dev/null 2>&1 || \
			{ echo "skipped: hawkbit-test needs org.eclipse.hawkbit:hawkbit-update-server:$(HAWKBIT), which Maven could not bring"; exit 0; }; \
	fi; \
	tools/cargo.sh build --quiet --locked --no-default-features --features ddi,developer-tools && \
	tests/hawkbit/stories.py target/debug/gwe "$(HAWKBIT_JAR)"

goosebit-test:
	@if $(MAKE) --silent $(GOOSEBIT)/ready; then \
		tools/cargo.sh build --quiet --locked --no-default-features --features ddi && \
		tests/hawkbit/goosebit_stories.py target/debug/gwe $(GOOSEBIT)/bin/python; \
	else \
		echo "skipped: goosebit-test needs Python 3.11 with venv, and PyPI"; \
	fi

$(GOOSEBIT)/ready: tests/hawkbit/requirements.txt
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'
	python3 -m venv $(GOOSEBIT)
	timeout 240 $(GOOSEBIT)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@
