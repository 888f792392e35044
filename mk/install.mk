# make install: the one list of what goes where. The Yocto recipe and the Buildroot package both call it.
#
#   make install DESTDIR=… PREFIX=/usr INIT=sysv|systemd|none [BINARY=…] [settings below]
#
# DESTDIR                the root of the image; empty installs on this machine
# PREFIX                 /usr. Whatever it is, the agent reads /etc/gwe, /var/lib/gwe, /run/gwe and /usr/share/gwe/apps_to_install
# INIT                   none installs no init script; start $(LIBEXECDIR)/gwe/supervise, or supervisord -n -c /etc/gwe/supervisord.conf
# BINARY                 a gwe that was built already; without it cargo builds one
# HOSTING                own: supervisord and supervisorctl of our own, which need nothing. python: supervisor's, which the image has
# CORE                   own hosting's resident core, as the build left it beside BINARY
# SYSV_NAME              the init script's name in /etc/init.d (BusyBox wants S99gwe)
# SUPERVISORD            where the image has supervisord; with HOSTING=own that is a link to gwe
# GMQ                    no leaves the queue out of what is started
# DOCS                   no leaves docs and man pages out
# SBOM                   none, tls-openssl or tls-rustls, as BINARY was built: installs its bill of materials (CycloneDX)
#
# The factory's settings, all optional:
# PRODUCT_ID             the product id on the platform: vendor and model
# IFACE                  the interface whose MAC is the serial number while none is set
# SERIAL                 file:PATH or command:COMMAND that gives the serial number; then IFACE is empty unless given
# SERVER                 base URL; empty is https://$(PRODUCT_ID).m2.exosite.io
# UPDATE_INTERVAL, ACTIVATION_RETRY_INTERVAL   seconds
# PUSH                   yes: listen for orders between check-ins
# BACKEND                who gives the orders: device-api, or ddi (hawkBit); the settings of that:
# DDI_URL, DDI_TENANT, DDI_ID, DDI_TOKEN, DDI_TOKEN_KIND, DDI_INTERVAL, DDI_CONFIRM   docs/hawkbit.md; none is written where all are empty
# LOG_LEVEL              DEBUG INFO WARNING ERROR CRITICAL
# CACERT                 a PEM file of this machine: the only roots that the agent then trusts
# TRUSTED_KEYS           minisign public keys of this machine (*.pub): only signed tarballs are then installed
# TRUSTED_ROOT_KEYS      minisign public keys (*.pub) that sign sets of keys: docs/security.md; with one, too, only signed tarballs are installed
# KEY_SET                the image's own set of keys, a keys.json
# REQUIRE_SIGNATURES     yes: unsigned tarballs are refused whatever keys there are, and without a usable key (TRUSTED_KEYS or TRUSTED_ROOT_KEYS) the install fails
# APPLY                  when what is here is installed: now, window, reboot or consent
# WINDOW                 that window of the day, HH:MM-HH:MM
# MAX_HOLD               seconds that an app may hold off what would stop it
# MAX_RATE               bytes a second that a download brings at the most, such as 64k; empty is no limit
# MONTHLY_BYTES          bytes that the gateway may send and receive in a month, such as 50M; empty is no limit
# NO_DOWNLOADS_ON        interfaces over which nothing is downloaded, such as wwan*; none of the three is written where all are empty
# APPS                   tarballs of this machine that the gateway installs at first boot, in the order of their names
# LOGDIR                 the logs of gwe, gmq and the applications: /var/log is a tmpfs on most images, /var/lib/gwe/log is on flash
# CHECKER                a gwe that runs on this machine, where BINARY does not: it checks the settings, and a bad one fails the install; empty is BINARY
# DATA                   the block device for /var/lib/gwe; empty leaves mounting it to the image

# Only these two may come from the environment: names such as DATA or SERVER mean other things there.
DESTDIR ?=
PREFIX ?= /usr
BINDIR = $(PREFIX)/bin
LIBEXECDIR = $(PREFIX)/libexec
DATADIR = $(PREFIX)/share
DOCDIR = $(DATADIR)/doc/gwe
MANDIR = $(DATADIR)/man
UNITDIR = /usr/lib/systemd/system
INIT = none
SYSV_NAME = gwe
HOSTING = own
SUPERVISORD = $(if $(filter own,$(HOSTING)),$(BINDIR),/usr/bin)/supervisord
GMQ = yes
DOCS = yes
SBOM =

PRODUCT_ID =
SERIAL =
IFACE = $(if $(SERIAL),,eth0)
SERVER =
UPDATE_INTERVAL = 14400
ACTIVATION_RETRY_INTERVAL = 60
PUSH = no
BACKEND = device-api
DDI_URL =
DDI_TENANT =
DDI_ID =
DDI_TOKEN =
DDI_TOKEN_KIND =
DDI_INTERVAL =
DDI_CONFIRM =
LOG_LEVEL = INFO
CACERT =
TRUSTED_KEYS =
TRUSTED_ROOT_KEYS =
KEY_SET =
REQUIRE_SIGNATURES = no
APPLY = now
WINDOW = 02:00-04:00
MAX_HOLD = 86400
MAX_RATE =
MONTHLY_BYTES =
NO_DOWNLOADS_ON =
APPS =
LOGDIR = /var/log
DATA =
CHECKER =

# The agent's own paths, which no PREFIX moves.
GWE_CONF := /etc/gwe
GWE_STATE := /var/lib/gwe
GWE_FRAGMENTS := $(GWE_STATE)/supervisor.d
GWE_APPS := /usr/share/gwe/apps_to_install
# Where supervisord looks for it, unless it stands beside the program.
GWE_CORE := /usr/libexec/gwe/hosting-core

BINARY = target/release/gwe
CORE = $(dir $(BINARY))hosting-core

ifeq ($(filter $(INIT),sysv systemd none),)
$(error INIT cannot be '$(INIT)': it must be sysv, systemd or none)
endif
ifeq ($(filter $(HOSTING),own python),)
$(error HOSTING cannot be '$(HOSTING)': it must be own or python)
endif

ifeq ($(filter $(REQUIRE_SIGNATURES),yes no),)
$(error REQUIRE_SIGNATURES cannot be '$(REQUIRE_SIGNATURES)': it must be yes or no)
endif
ifeq ($(filter $(APPLY),now window reboot consent),)
$(error APPLY cannot be '$(APPLY)': it must be now, window, reboot or consent)
endif

# Those that are set; one that is empty keeps the agent's own default.
DDI_SETTINGS = $(strip $(foreach name,URL TENANT ID TOKEN TOKEN_KIND INTERVAL CONFIRM,$(if $(strip $(DDI_$(name))),$(name))))

NETWORK_SETTINGS = $(strip $(MAX_RATE) $(MONTHLY_BYTES) $(NO_DOWNLOADS_ON))

# '' is how the agent writes an empty value.
or_empty = $(if $(strip $(1)),$(1),'')

define NEWLINE


endef

# A value between the quotes that both a shell and systemd's EnvironmentFile read as it is.
quoted = $(if $(findstring ',$(1)),"$(subst `,\`,$(subst $$,\$$,$(subst ",\",$(subst \,\\,$(1)))))",'$(1)')
# These stand bare in scripts and in supervisord's files.
BARE_PATHS = PREFIX LOGDIR SUPERVISORD SYSV_NAME

# What stands for @NAME@ in the files below. It travels in the environment, so that no shell reads a value.
install-%: export AT_BINDIR = $(BINDIR)
install-%: export AT_LIBEXECDIR = $(LIBEXECDIR)
install-%: export AT_UNITDIR = $(UNITDIR)
install-%: export AT_SUPERVISORD = $(SUPERVISORD)
install-%: export AT_FRAGMENTS = $(GWE_FRAGMENTS)
install-%: export AT_LOGDIR = $(LOGDIR)
install-%: export AT_PRODUCT_ID = $(call or_empty,$(PRODUCT_ID))
install-%: export AT_IFACE = $(call or_empty,$(IFACE))
install-%: export AT_SERVER = $(call or_empty,$(SERVER))
install-%: export AT_CACERT_PATH = $(if $(strip $(CACERT)),$(GWE_CONF)/cacert.pem,'')
install-%: export AT_UPDATE_INTERVAL = $(UPDATE_INTERVAL)
install-%: export AT_ACTIVATION_RETRY_INTERVAL = $(ACTIVATION_RETRY_INTERVAL)
install-%: export AT_PUSH = $(PUSH)
install-%: export AT_BACKEND = $(BACKEND)
install-%: export AT_DDI_URL = $(call or_empty,$(DDI_URL))
install-%: export AT_DDI_TENANT = $(or $(DDI_TENANT),DEFAULT)
install-%: export AT_DDI_ID = $(or $(DDI_ID),<uuid>)
install-%: export AT_DDI_TOKEN = $(call or_empty,$(DDI_TOKEN))
install-%: export AT_DDI_TOKEN_KIND = $(or $(DDI_TOKEN_KIND),target)
install-%: export AT_DDI_INTERVAL = $(call or_empty,$(DDI_INTERVAL))
install-%: export AT_DDI_CONFIRM = $(or $(DDI_CONFIRM),no)
install-%: export AT_REQUIRE_SIGNATURES = $(REQUIRE_SIGNATURES)
install-%: export AT_APPLY = $(APPLY)
install-%: export AT_WINDOW = $(WINDOW)
install-%: export AT_MAX_HOLD = $(MAX_HOLD)
install-%: export AT_MAX_RATE = $(call or_empty,$(MAX_RATE))
install-%: export AT_MONTHLY_BYTES = $(call or_empty,$(MONTHLY_BYTES))
install-%: export AT_NO_DOWNLOADS_ON = $(call or_empty,$(NO_DOWNLOADS_ON))
install-%: export AT_LOG_LEVEL = $(LOG_LEVEL)
install-%: export AT_CORE = $(GWE_CORE)
install-%: export AT_KEEPER = $(if $(filter own,$(HOSTING)),"$(GWE_CORE)" -- --keep )"$(LIBEXECDIR)/gwe/supervise"
install-%: export AT_STOP_POST = $(if $(filter python,$(HOSTING)),$(NEWLINE)ExecStopPost=-$(LIBEXECDIR)/gwe/rescue)
install-%: export AT_DATA = $(call quoted,$(DATA))
install-%: export AT_SERIAL = $(call quoted,$(SERIAL))
install-%: export AT_PREFIX = $(PREFIX)
install-%: export AT_SYSV_NAME = $(SYSV_NAME)

# $(call put,MODE,SOURCE,TARGET): a file with every @NAME@ replaced.
define put
install -d "$(DESTDIR)$(dir $(3))"
awk '{ while (match($$0, /@[A-Z_]+@/)) { printf "%s%s", substr($$0, 1, RSTART - 1), ENVIRON["AT_" substr($$0, RSTART + 1, RLENGTH - 2)]; \
	$$0 = substr($$0, RSTART + RLENGTH) } print }' "$(2)" >"$(DESTDIR)$(3).new"
chmod $(1) "$(DESTDIR)$(3).new"
mv -f "$(DESTDIR)$(3).new" "$(DESTDIR)$(3)"
endef

.PHONY: install install-binary install-hosting-own install-hosting-python install-config install-init install-init-none install-init-sysv install-init-systemd install-docs install-sbom
install: install-binary install-hosting-$(HOSTING) install-config install-init install-docs install-sbom

# Whether the binary is up to date is cargo's to say; one that was given is taken as it is.
install-binary:
ifeq ($(origin BINARY),file)
	tools/cargo.sh build --release $(CARGO_FLAGS)
endif
	install -d "$(DESTDIR)$(BINDIR)"
	install -m 0755 "$(BINARY)" "$(DESTDIR)$(BINDIR)/gwe"
	ln -sf gwe "$(DESTDIR)$(BINDIR)/gmq"
	ln -sf gwe "$(DESTDIR)$(BINDIR)/gdc"

# One supervisord, not two: a file that is no link is another package's.
install-hosting-own: install-binary
	@for name in supervisord supervisorctl; do if [ -e "$(DESTDIR)$(BINDIR)/$$name" ] && [ ! -L "$(DESTDIR)$(BINDIR)/$$name" ]; then \
	echo "$(DESTDIR)$(BINDIR)/$$name is there, of another package: remove that, or choose HOSTING=python" >&2; exit 1; fi; done
	@if [ ! -e "$(CORE)" ]; then \
	echo "HOSTING=own needs hosting-core, which the build leaves beside gwe: there is no $(CORE); give CORE, or choose HOSTING=python" >&2; exit 1; fi
	install -d "$(DESTDIR)$(dir $(GWE_CORE))"
	install -m 0755 "$(CORE)" "$(DESTDIR)$(GWE_CORE).new"
	mv -f "$(DESTDIR)$(GWE_CORE).new" "$(DESTDIR)$(GWE_CORE)"
	ln -sf gwe "$(DESTDIR)$(BINDIR)/supervisord"
	ln -sf gwe "$(DESTDIR)$(BINDIR)/supervisorctl"
# Where plain supervisorctl looks for its server.
	install -d "$(DESTDIR)/etc"
	if [ -L "$(DESTDIR)/etc/supervisord.conf" ] || [ ! -e "$(DESTDIR)/etc/supervisord.conf" ]; then ln -sf gwe/supervisord.conf "$(DESTDIR)/etc/supervisord.conf"; fi

install-hosting-python:

install-config:
	@LC_ALL=C; for name in $(BARE_PATHS); do eval "value=\$$AT_$$name"; case $$value in *[!A-Za-z0-9_./@:+-]*) \
	echo "$$name cannot be '$$value': it stands in scripts, so it may have letters, digits and _ . / @ : + - alone" >&2; exit 1;; esac; done
	$(call put,0644,configs/factory/Gateway.cfg.in,$(GWE_CONF)/Gateway.cfg)
ifneq ($(DDI_SETTINGS),)
	$(call put,0600,configs/factory/ddi.cfg.in,$(GWE_CONF)/ddi.part)
	chmod 0600 "$(DESTDIR)$(GWE_CONF)/Gateway.cfg"
	cat "$(DESTDIR)$(GWE_CONF)/ddi.part" >>"$(DESTDIR)$(GWE_CONF)/Gateway.cfg"
	rm "$(DESTDIR)$(GWE_CONF)/ddi.part"
endif
	$(call put,0644,configs/factory/Engine.config.in,$(GWE_CONF)/Engine.config)
ifneq ($(NETWORK_SETTINGS),)
	$(call put,0644,configs/factory/network.config.in,$(GWE_CONF)/network.part)
	cat "$(DESTDIR)$(GWE_CONF)/network.part" >>"$(DESTDIR)$(GWE_CONF)/Engine.config"
	rm "$(DESTDIR)$(GWE_CONF)/network.part"
endif
	$(call put,0644,configs/supervisor/supervisord.conf.in,$(GWE_CONF)/supervisord.conf)
	$(call put,0644,configs/supervisor/gwe.conf.in,$(GWE_CONF)/supervisor.d/gwe.conf)
ifneq ($(GMQ),no)
	$(call put,0644,configs/supervisor/gmq.conf.in,$(GWE_CONF)/supervisor.d/gmq.conf)
	install -m 0644 configs/factory/gmq.cfg configs/factory/logging.cfg "$(DESTDIR)$(GWE_CONF)"
endif
	install -d "$(DESTDIR)$(GWE_CONF)/trusted" "$(DESTDIR)$(GWE_APPS)"
# What it holds is for others to reach by name, not to open: whoever can open it can take the lock that it is.
	install -d -m 0711 "$(DESTDIR)$(GWE_STATE)"
ifneq ($(strip $(CACERT)),)
	install -m 0644 "$(strip $(CACERT))" "$(DESTDIR)$(GWE_CONF)/cacert.pem"
endif
ifneq ($(strip $(TRUSTED_KEYS)),)
	install -m 0644 $(TRUSTED_KEYS) "$(DESTDIR)$(GWE_CONF)/trusted"
endif
ifneq ($(strip $(TRUSTED_ROOT_KEYS)),)
	install -d "$(DESTDIR)$(GWE_CONF)/trusted-root"
	install -m 0644 $(TRUSTED_ROOT_KEYS) "$(DESTDIR)$(GWE_CONF)/trusted-root"
endif
ifneq ($(strip $(KEY_SET)),)
	install -m 0644 "$(strip $(KEY_SET))" "$(DESTDIR)$(GWE_CONF)/keys.json"
endif
ifneq ($(strip $(APPS)),)
	install -m 0644 $(APPS) "$(DESTDIR)$(GWE_APPS)"
endif
# A gateway without a key would accept nothing. Whether the key can be used is for --check-config to say, below.
ifeq ($(REQUIRE_SIGNATURES),yes)
	@for key in "$(DESTDIR)$(GWE_CONF)"/trusted/*.pub "$(DESTDIR)$(GWE_CONF)"/trusted-root/*.pub; do [ -s "$$key" ] && exit 0; done; \
	echo "REQUIRE_SIGNATURES=yes needs a public key: give TRUSTED_KEYS or TRUSTED_ROOT_KEYS" >&2; exit 1
endif
# A setting that does not fit fails here, and not in the field. A binary for another machine cannot say so: CHECKER may, and who names one wants it.
	@if "$(or $(CHECKER),$(BINARY))" --version >/dev/null 2>&1; then "$(or $(CHECKER),$(BINARY))" --root "$(or $(DESTDIR),/)" --check-config >&2; \
	elif [ -n "$(CHECKER)" ]; then echo "$(CHECKER), which is to check the settings, does not run here" >&2; exit 1; \
	else echo "the settings were not checked: $(BINARY) does not run here; give CHECKER a gwe that does" >&2; fi
	install -d "$(DESTDIR)$(DATADIR)/gwe"
	install -m 0644 configs/product/gwe.spec "$(DESTDIR)$(DATADIR)/gwe/gwe.spec"

install-init: install-init-$(INIT)

install-init-none:
	$(call put,0644,configs/init/default.in,/etc/default/gwe)
	$(call put,0755,configs/init/prepare.in,$(LIBEXECDIR)/gwe/prepare)
ifeq ($(HOSTING),own)
	$(call put,0755,configs/init/supervise.in,$(LIBEXECDIR)/gwe/supervise)
else
	$(call put,0755,configs/init/python/rescue.in,$(LIBEXECDIR)/gwe/rescue)
	$(call put,0755,configs/init/python/supervise.in,$(LIBEXECDIR)/gwe/supervise)
endif

install-init-sysv: install-init-none
	$(call put,0755,configs/init/gwe.init.in,/etc/init.d/$(SYSV_NAME))

install-init-systemd: install-init-none
	$(call put,0644,configs/init/gwe.service.in,$(UNITDIR)/gwe.service)
ifeq ($(HOSTING),python)
	$(call put,0644,configs/init/python/beside-gwe.conf.in,$(UNITDIR)/supervisor.service.d/gwe.conf)
	$(call put,0644,configs/init/python/beside-gwe.conf.in,$(UNITDIR)/supervisord.service.d/gwe.conf)
endif

install-docs:
ifneq ($(DOCS),no)
	install -d "$(DESTDIR)$(DOCDIR)" "$(DESTDIR)$(MANDIR)/man8"
	install -m 0644 LICENSE LICENSE-CRATES $(filter-out docs/decisions.md,$(wildcard README.md docs/*.md)) "$(DESTDIR)$(DOCDIR)"
	install -m 0644 $(filter-out $(if $(filter python,$(HOSTING)),docs/man/supervisor%),$(wildcard docs/man/*.8)) "$(DESTDIR)$(MANDIR)/man8"
endif

# A release carries its bills; in a checkout cargo is asked.
install-sbom:
ifneq ($(SBOM),)
	install -d "$(DESTDIR)$(DATADIR)/gwe"
	if [ -e "sbom/gwe-$(SBOM).cdx.json" ]; then cat "sbom/gwe-$(SBOM).cdx.json"; else tools/sbom.py bill "$(SBOM)"; fi >"$(DESTDIR)$(DATADIR)/gwe/sbom.cdx.json"
	chmod 0644 "$(DESTDIR)$(DATADIR)/gwe/sbom.cdx.json"
	install -m 0644 configs/product/gwe.vex.cdx.json "$(DESTDIR)$(DATADIR)/gwe/vex.cdx.json"
endif
