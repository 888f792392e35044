# make image-test: a bootable image with `make install` on top, in QEMU, with the power cut at random moments. KILLS=N says how often,
# SEED=N repeats the same moments, WITHIN=SECONDS begins no new cycle after that. Needs qemu-system-x86, squashfs-tools, busybox, cpio
# and apt, but no root; with lz4 it boots twice as fast.

KILLS ?= 10
SEED ?=
WITHIN ?= 3600

.PHONY: image-test
image-test: murano
	tools/cargo.sh build --release --locked --no-default-features --features tls-openssl --target-dir target/footprint/tls-openssl
	mkdir -p target/image
	strip -o target/image/gwe target/footprint/tls-openssl/release/gwe
	cp target/footprint/tls-openssl/release/hosting-core target/image/hosting-core
	python3 tests/image/main.py --binary target/image/gwe --murano tests/target/debug/murano --folder target/image \
		--kills $(KILLS) --within $(WITHIN) $(if $(SEED),--seed $(SEED))
