# make hawkbit-test: the agent against a real hawkBit 1.0.4 on loopback. It needs Java 17 and HAWKBIT_JAR, the executable jar
# hawkbit-update-server-1.0.4.jar; without them it says "skipped".
HAWKBIT_JAR ?=

.PHONY: hawkbit-test
hawkbit-test:
	@if [ -f "$(HAWKBIT_JAR)" ] && command -v java >/dev/null; then \
		tools/cargo.sh build --quiet --locked --no-default-features --features ddi && tests/hawkbit/stories.py target/debug/gwe "$(HAWKBIT_JAR)"; \
	else \
		echo "skipped: hawkbit-test needs java and HAWKBIT_JAR=path of hawkbit-update-server-1.0.4.jar"; \
	fi
