# make footprint: what the agent takes of a gateway, beside its limits and its peers. JSON=1 for machines; FOOTPRINT_FEATURES=tls-openssl
# for one build only. docs/footprint.md holds what it printed.

FOOTPRINT_FEATURES ?= none tls-openssl tls-rustls
JSON ?=

.PHONY: footprint footprint-builds symbols
footprint: footprint-builds murano
	cd tests && python3 -m measure.footprint $(if $(JSON),--json)

# Each set of features once, stripped as images do it. The last one built is the default, which is what `make` leaves behind too.
footprint-builds: $(foreach features,$(FOOTPRINT_FEATURES),footprint-build-$(features))

footprint-build-%:
	@if [ "$*" = tls-openssl ] && [ -z "$(HAS_OPENSSL)" ]; then rm -rf target/footprint/$*; echo "skipped: tls-openssl: needs OpenSSL's headers and pkg-config"; exit 0; fi; \
	tools/cargo.sh build --quiet --release --locked --no-default-features $(if $(filter-out none,$*),--features $*) && \
	mkdir -p target/footprint/$* && strip -o target/footprint/$*/gwe target/release/gwe

# make symbols: what the bytes of the release binary are spent on.
symbols:
	cargo build --quiet --release --locked $(FEATURES_OPENSSL)
	cd tests && python3 -m measure.symbols ../target/release/gwe

# make footprint-hosting: what hosting programs costs, beside runit, s6, daemontools, monit and supervisord where they are installed.
.PHONY: footprint-hosting
footprint-hosting:
	tools/cargo.sh build --quiet --release --locked $(FEATURES_OPENSSL)
	cd tests && python3 -m measure.hosting $(if $(JSON),--json)
