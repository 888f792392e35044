# make tiny: the agent on a standard library built for size, in which a panic ends the program at once: target/tiny/FEATURES/gwe. It needs
# Debian's package archive, from which compiler and library source are unpacked and not installed.
# make static: an agent without TLS that needs no library of the image, not even the C library: target/static/gwe. What names it can
# resolve is in docs/footprint.md.
#
# FEATURES   of make tiny: none or tls-openssl
# EXTRA_RUSTFLAGS   of make tiny: further flags of the compiler

FEATURES ?= tls-openssl

.PHONY: tiny static
tiny:
	tools/tiny.sh "$(FEATURES)"

static:
	RUSTFLAGS="-C target-feature=+crt-static" tools/cargo.sh build --quiet --release --locked --no-default-features \
		--target "$$(rustc -vV | sed -n 's/^host: //p')" --target-dir target/static/build
	strip -o target/static/gwe target/static/build/*/release/gwe
	@wc -c target/static/gwe
