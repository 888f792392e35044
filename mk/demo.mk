# make demo: the main job done from nothing, on this machine, in a folder. KEEP=1 leaves it up to play with. Hosting is our own;
# HOSTING=python has supervisor's own supervisord, which comes from PyPI; BACKEND=hawkbit has a real hawkBit in the platform's place, and needs
# Java 17 and HAWKBIT_JAR (mk/hawkbit.mk).

KEEP ?= 0

# All that it then needs of PyPI; the tests' own packages are in .venv/ready.
.venv/bin/supervisord: tests/requirements.txt
	tests/venv.sh "$$(grep '^supervisor==' tests/requirements.txt)"
	touch $@

.PHONY: demo murano
murano:
	@if command -v npm >/dev/null; then $(MAKE) --silent $(PAGE)/dist/index.html || echo "murano is built without its page: see above"; fi
	cargo build --quiet --manifest-path tests/Cargo.toml --bin murano

ifeq ($(BACKEND),hawkbit)
demo:
	@command -v java >/dev/null || { echo "make demo BACKEND=hawkbit needs java (17)"; exit 2; }
	@[ -f "$(HAWKBIT_JAR)" ] || { echo "make demo BACKEND=hawkbit needs HAWKBIT_JAR=path of hawkbit-update-server-$(HAWKBIT).jar"; exit 2; }
	$(MAKE) build
	tests/demo/hawkbit.py "$(HAWKBIT_JAR)"
else
demo: build murano $(if $(filter python,$(HOSTING)),.venv/bin/supervisord)
	KEEP=$(KEEP) HOSTING=$(HOSTING) tests/demo/demo.sh
endif
