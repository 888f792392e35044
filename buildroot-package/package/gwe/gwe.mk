################################################################################
#
# gwe
#
################################################################################

GWE_VERSION = 0.1.0
# The default would carry the version of Buildroot's own way of vendoring.
# check-package RemoveDefaultPackageSourceVariable
GWE_SOURCE = gwe-$(GWE_VERSION).tar.gz
# The tarball carries its vendored crates: it builds with no network, whatever
# Buildroot's own way of vendoring is. It is looked for beside this external
# tree, as releases come, then in the checkout's dist/, where "make dist" puts
# it; its hash is in package/gwe/$(GWE_VERSION)/gwe.hash.
GWE_BESIDE = $(BR2_EXTERNAL_GWE_PATH)/..$(if $(wildcard $(BR2_EXTERNAL_GWE_PATH)/../$(GWE_SOURCE)),,/dist)
GWE_SITE = $(or $(call qstrip,$(BR2_PACKAGE_GWE_SITE)),file://$(GWE_BESIDE))
GWE_LICENSE = Apache-2.0, ISC (crates), MIT (crates), Unicode-3.0 (crates)
GWE_LICENSE_FILES = LICENSE LICENSE-CRATES
GWE_CPE_ID_VENDOR = exosite
GWE_CPE_ID_PRODUCT = gateway_engine

# Small before fast; Buildroot would override what Cargo.toml says.
GWE_CARGO_ENV = \
	CARGO_PROFILE_RELEASE_OPT_LEVEL="z" \
	CARGO_PROFILE_RELEASE_LTO="true" \
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS="1"

# Some 40 kB less; an external toolchain's C library may be too old for it.
ifeq ($(BR2_TOOLCHAIN_BUILDROOT_GLIBC)$(BR2_TOOLCHAIN_BUILDROOT_MUSL),y)
GWE_CARGO_ENV += GWE_PACK_RELOCATIONS=1
endif

# No folder of the build machine in the program, so that two builds give the
# same bytes. The target's flags are those of pkg-cargo.mk, which this replaces.
GWE_RUSTFLAGS = \
	--remap-path-prefix=$(@D)=/gwe \
	--remap-path-prefix=$(@D)/VENDOR=/crates \
	$(if $(filter arm,$(NORMALIZED_ARCH)),-Clink-arg=-Wl$(comma)--allow-multiple-definition)
GWE_CARGO_ENV += \
	CARGO_TARGET_$(call UPPERCASE,$(RUSTC_TARGET_NAME))_RUSTFLAGS="$(strip $(GWE_RUSTFLAGS))"

GWE_CARGO_BUILD_OPTS = --no-default-features

ifeq ($(BR2_PACKAGE_GWE_TLS_OPENSSL),y)
GWE_FEATURES = tls-openssl
GWE_CARGO_BUILD_OPTS += --features tls-openssl
GWE_DEPENDENCIES += host-pkgconf openssl
else ifeq ($(BR2_PACKAGE_GWE_TLS_RUSTLS),y)
GWE_FEATURES = tls-rustls
GWE_CARGO_BUILD_OPTS += --features tls-rustls
GWE_LICENSE += , BSD-3-Clause (crates)
# Random numbers from the kernel, as OpenSSL's are: measuring the CPU's jitter
# costs each check-in 20 ms.
GWE_CARGO_ENV += AWS_LC_SYS_NO_JITTER_ENTROPY=1
else
GWE_FEATURES = none
endif

ifeq ($(BR2_PACKAGE_GWE_DDI),y)
GWE_CARGO_BUILD_OPTS += --features ddi
endif

GWE_HOSTING = $(if $(BR2_PACKAGE_GWE_HOSTING_PYTHON),python,own)

# "make install" of the source is the one list of what goes where.
GWE_MAKE_OPTS = \
	DESTDIR="$(TARGET_DIR)" \
	PREFIX=/usr \
	SYSV_NAME=S99gwe \
	BINARY="$(@D)/target/$(RUSTC_TARGET_NAME)/$(if $(BR2_ENABLE_DEBUG),debug,release)/gwe" \
	HOSTING=$(GWE_HOSTING) \
	GMQ=$(if $(BR2_PACKAGE_GWE_GMQ),yes,no) \
	DOCS=$(if $(BR2_PACKAGE_GWE_DOCS),yes,no) \
	SBOM=$(if $(BR2_PACKAGE_GWE_SBOM),$(GWE_FEATURES)) \
	PRODUCT_ID="$(call qstrip,$(BR2_PACKAGE_GWE_PRODUCT_ID))" \
	SERIAL="$(call qstrip,$(BR2_PACKAGE_GWE_SERIAL))" \
	IFACE="$(call qstrip,$(BR2_PACKAGE_GWE_IFACE))" \
	SERVER="$(call qstrip,$(BR2_PACKAGE_GWE_SERVER))" \
	UPDATE_INTERVAL=$(BR2_PACKAGE_GWE_UPDATE_INTERVAL) \
	ACTIVATION_RETRY_INTERVAL=$(BR2_PACKAGE_GWE_ACTIVATION_RETRY_INTERVAL) \
	PUSH=$(if $(BR2_PACKAGE_GWE_PUSH),yes,no) \
	BACKEND="$(or $(call qstrip,$(BR2_PACKAGE_GWE_BACKEND)),device-api)" \
	DDI_URL="$(call qstrip,$(BR2_PACKAGE_GWE_DDI_URL))" \
	DDI_TENANT="$(call qstrip,$(BR2_PACKAGE_GWE_DDI_TENANT))" \
	DDI_ID="$(call qstrip,$(BR2_PACKAGE_GWE_DDI_ID))" \
	DDI_TOKEN="$(call qstrip,$(BR2_PACKAGE_GWE_DDI_TOKEN))" \
	DDI_TOKEN_KIND="$(call qstrip,$(BR2_PACKAGE_GWE_DDI_TOKEN_KIND))" \
	DDI_INTERVAL="$(call qstrip,$(BR2_PACKAGE_GWE_DDI_INTERVAL))" \
	DDI_CONFIRM="$(call qstrip,$(BR2_PACKAGE_GWE_DDI_CONFIRM))" \
	LOG_LEVEL="$(call qstrip,$(BR2_PACKAGE_GWE_LOG_LEVEL))" \
	CACERT="$(call qstrip,$(BR2_PACKAGE_GWE_CACERT))" \
	TRUSTED_KEYS="$(call qstrip,$(BR2_PACKAGE_GWE_TRUSTED_KEYS))" \
	TRUSTED_ROOT_KEYS="$(call qstrip,$(BR2_PACKAGE_GWE_TRUSTED_ROOT_KEYS))" \
	KEY_SET="$(call qstrip,$(BR2_PACKAGE_GWE_KEY_SET))" \
	REQUIRE_SIGNATURES=$(if $(BR2_PACKAGE_GWE_REQUIRE_SIGNATURES),yes,no) \
	APPLY="$(or $(call qstrip,$(BR2_PACKAGE_GWE_APPLY)),now)" \
	WINDOW="$(or $(call qstrip,$(BR2_PACKAGE_GWE_WINDOW)),02:00-04:00)" \
	MAX_HOLD=$(or $(BR2_PACKAGE_GWE_MAX_HOLD),86400) \
	MAX_RATE="$(call qstrip,$(BR2_PACKAGE_GWE_MAX_RATE))" \
	MONTHLY_BYTES="$(call qstrip,$(BR2_PACKAGE_GWE_MONTHLY_BYTES))" \
	NO_DOWNLOADS_ON="$(call qstrip,$(BR2_PACKAGE_GWE_NO_DOWNLOADS_ON))" \
	APPS="$(call qstrip,$(BR2_PACKAGE_GWE_APPS))" \
	LOGDIR="$(call qstrip,$(BR2_PACKAGE_GWE_LOGDIR))" \
	DATA="$(call qstrip,$(BR2_PACKAGE_GWE_DATA))" \
	CHECKER="$(call qstrip,$(BR2_PACKAGE_GWE_CHECKER))"

# The folder of the image stays from build to build, and what the configuration
# no longer names, a key above all, must not stay in it. Overlays come later.
GWE_NAMED_FILES = \
	/etc/gwe/trusted /etc/gwe/trusted-root /etc/gwe/keys.json \
	/etc/gwe/cacert.pem /usr/share/gwe/apps_to_install

define GWE_INSTALL_TARGET_CMDS
	rm -rf $(addprefix $(TARGET_DIR),$(GWE_NAMED_FILES))
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(GWE_MAKE_OPTS) INIT=none install
endef

define GWE_INSTALL_INIT_SYSV
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(GWE_MAKE_OPTS) INIT=sysv install-init
endef

define GWE_INSTALL_INIT_SYSTEMD
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(GWE_MAKE_OPTS) INIT=systemd install-init
endef

# gwe's own script starts supervisord, with a configuration that includes the
# fragments of /etc/supervisor.d: a second one would fight for its socket.
define GWE_REMOVE_S99SUPERVISORD
	rm -f $(TARGET_DIR)/etc/init.d/S99supervisord
endef
ifeq ($(GWE_HOSTING),python)
GWE_TARGET_FINALIZE_HOOKS += GWE_REMOVE_S99SUPERVISORD
endif

define GWE_PERMISSIONS
	/etc/gwe d 755 0 0 - - - - -
	/var/lib/gwe d 711 0 0 - - - - -
endef

$(eval $(cargo-package))
