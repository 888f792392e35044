# make otau: the agent as an over-the-air update of itself, dist/gwe.v<version>.tar.gz, deployed like any app. The same binary makes the
# same bytes.
#
# BINARY   the agent to pack, such as a cross build: taken as it is. Else the one built here, stripped where there is a strip
# CORE     the core of its hosting, beside BINARY: supervisord of our own goes on as it once the agent has settled. HOSTING=python packs none
# GWE      the agent that packs: it must run on this machine
# VERSION  what the tarball is named after, which must be what BINARY tells of itself: install.sh refuses it otherwise
# DIST     the folder for the tarball

GWE = target/release/gwe
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
DIST = dist
COMMA := ,

.PHONY: otau
otau: $(if $(filter file,$(origin GWE)),build)
	rm -rf "$(DIST)/otau"
	install -d "$(DIST)/otau"
	@if [ "$(HOSTING)" = own ] && [ ! -e "$(CORE)" ]; then \
	echo "HOSTING=own needs hosting-core, which the build leaves beside gwe: there is no $(CORE); give CORE, or choose HOSTING=python" >&2; exit 1; fi
	sed '$(if $(filter python,$(HOSTING)),s/"hosting-core"$(COMMA) //)' configs/otau/build.json >"$(DIST)/otau/build.json"
	install -m 0755 configs/otau/install.sh "$(DIST)/otau"
	install -m 0755 "$(BINARY)" "$(DIST)/otau/gwe"
	$(if $(filter own,$(HOSTING)),install -m 0755 "$(CORE)" "$(DIST)/otau/hosting-core")
ifeq ($(origin BINARY),file)
	! command -v strip >/dev/null || strip "$(DIST)/otau/gwe"
endif
	cd "$(DIST)" && SOURCE_DATE_EPOCH=0 "$(abspath $(GWE))" --build-app otau/build.json --app-version "$(VERSION)"
	rm -rf "$(DIST)/otau"
