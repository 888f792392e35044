# make tiny: the agent on a standard library built for size, in which a panic ends the program at once: target/tiny/FEATURES/gwe. It needs
# Debian's package archive, from which compiler and library source are unpacked and not installed.
#
# TARGET     empty: this machine's processor. armv7 or aarch64: target/tiny/TARGET/FEATURES/gwe, with Debian's cross compiler
# FEATURES   none or tls-openssl
# EXTRA_RUSTFLAGS   further flags of the compiler

FEATURES ?= tls-openssl

.PHONY: tiny
tiny:
	tools/tiny.sh "$(FEATURES)" "$(TARGET)"
