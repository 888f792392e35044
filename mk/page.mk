# make page: the page that murano serves for people, from npm's packages (tests/page), and murano with it. make page-test: the page in a real
# browser. Where Node.js is missing, murano is built without it, and says so.

PAGE := tests/page
PAGE_SOURCES := $(wildcard $(PAGE)/src/*) $(PAGE)/build.mjs

.PHONY: page page-test
page: $(PAGE)/dist/index.html
	cargo build --quiet --manifest-path tests/Cargo.toml --bin murano

# No package's script is run: esbuild's program comes in a package of its own.
$(PAGE)/node_modules/.package-lock.json: $(PAGE)/package-lock.json
	cd $(PAGE) && npm ci --silent --ignore-scripts
	touch $@

$(PAGE)/dist/index.html: $(PAGE)/node_modules/.package-lock.json $(PAGE_SOURCES)
	cd $(PAGE) && npm run --silent build

# SHOTS=DIR: keep the pictures for docs/page.md there.
page-test: build page
	cd $(PAGE) && $(if $(SHOTS),SHOTS=$(abspath $(SHOTS)) )npm run --silent test
