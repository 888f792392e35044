# make static: an agent that needs no library of the image, not even the C library: static, with musl, into target/static/TARGET/FEATURES/gwe.
# It needs Debian's package archive, from which compiler, library source and musl are unpacked and not installed; for ARM Debian's cross compilers.
# make static-test: builds it and runs black-box tests on it; ARM's under qemu-user.
#
# TARGET     x86_64 (the default), aarch64 or armv7
# FEATURES   none (the default) or tls-rustls

.PHONY: static static-test
static static-test: STATIC_TARGET = $(or $(TARGET),x86_64)
static static-test: STATIC_FEATURES = $(if $(filter file,$(origin FEATURES)),none,$(FEATURES))
static:
	tools/static.sh "$(STATIC_TARGET)" "$(STATIC_FEATURES)"

# What asks the C library most: names, users, sockets, processes. What measures memory would measure qemu-user's. transport:: bounds the address
# space, of which qemu-arm takes all that 32 bits have. One test looks for the developer's tools, and is skipped by name; so is what waits for
# minutes under qemu-user.
STATIC_TESTS = cli:: cli_engine:: gmq_forward:: local_users:: resolver:: transport_tls:: $(if $(filter armv7,$(STATIC_TARGET)),,transport::)

static-test: murano
	tools/static.sh "$(STATIC_TARGET)" "$(STATIC_FEATURES)"
	GWE_BIN="$(CURDIR)/target/static/$(STATIC_TARGET)/$(STATIC_FEATURES)/gwe" $(if $(filter x86_64,$(STATIC_TARGET)),,tests/cross/run.sh $(STATIC_TARGET)) \
		cargo test --locked --no-fail-fast --manifest-path tests/Cargo.toml --test it -- $(STATIC_TESTS) --skip every_command_prints_data_to_stdout --skip a_cut_inside_tls --skip gmq_cli::
