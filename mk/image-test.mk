# make image-test: a bootable image with `make install` on top, in QEMU, with the power cut at random moments. ARCH=x86_64, aarch64 or armv7,
# KILLS=N says how often, SEED=N repeats the same moments, WITHIN=SECONDS begins no new cycle after that. Needs qemu-system-x86 or -arm,
# squashfs-tools, busybox, cpio and apt, for ARM what make cross needs too, but no root; with lz4 x86-64 boots twice as fast.

ARCH ?= x86_64
KILLS ?= 10
SEED ?=
WITHIN ?= 3600

.PHONY: image-test image-test-binary
image-test: murano image-test-binary
	@if [ -e target/image/$(ARCH)/gwe ]; then \
	python3 tests/image/main.py --arch $(ARCH) --binary target/image/$(ARCH)/gwe --murano tests/target/debug/murano --folder target/image/$(ARCH) \
		--kills $(KILLS) --within $(WITHIN) $(if $(SEED),--seed $(SEED)); \
	else echo "skipped: image test of $(ARCH): needs what is named above"; fi

image-test-binary:
	mkdir -p target/image/$(ARCH)
	rm -f target/image/$(ARCH)/gwe
ifeq ($(ARCH),x86_64)
	tools/cargo.sh build --release --locked --no-default-features --features tls-openssl --target-dir target/footprint/tls-openssl
	strip -o target/image/$(ARCH)/gwe target/footprint/tls-openssl/release/gwe
	cp target/footprint/tls-openssl/release/hosting-core target/image/$(ARCH)/hosting-core
else
	status=0; tools/cross.sh $(ARCH) tls-openssl || status=$$?; [ "$$status" = 0 ] || [ "$$status" = 2 ]
	if [ -e target/cross/$(ARCH)/tls-openssl/gwe ]; then cp target/cross/$(ARCH)/tls-openssl/gwe target/cross/$(ARCH)/tls-openssl/hosting-core target/image/$(ARCH); fi
endif
