# make demo: the main job done from nothing, on this machine, in a folder. KEEP=1 leaves it up to play with. Hosting is our own;
# HOSTING=python has supervisor's own supervisord, which comes from PyPI.

KEEP ?= 0

# All that it then needs of PyPI; the tests' own packages are in .venv/ready.
.venv/bin/supervisord: tests/requirements.txt
	tests/venv.sh "$$(grep '^supervisor==' tests/requirements.txt)"
	touch $@

.PHONY: demo murano
murano:
	@if command -v npm >/dev/null; then $(MAKE) --silent $(PAGE)/dist/index.html || echo "murano is built without its page: see above"; fi
	cargo build --quiet --manifest-path tests/Cargo.toml --bin murano

demo: build murano $(if $(filter python,$(HOSTING)),.venv/bin/supervisord)
	KEEP=$(KEEP) HOSTING=$(HOSTING) tests/demo/demo.sh
