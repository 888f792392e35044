# The list of targets; each family has its own file.

.DEFAULT_GOAL := build

# tls-rustls: aws-lc takes its random numbers from the kernel, as OpenSSL does. Else it also measures the jitter of the CPU at each start of a
# program that speaks TLS, which is most of what a check-in costs.
export AWS_LC_SYS_NO_JITTER_ENTROPY := 1

.PHONY: build
build:
	tools/cargo.sh build --release
	for name in gmq gdc supervisord supervisorctl; do ln -sf gwe "target/release/$$name"; done

include mk/install.mk
include mk/check-images.mk
include mk/cross.mk
include mk/tiny.mk
include mk/static.mk
include mk/dist.mk
include mk/sbom.mk
include mk/reproducible.mk
include mk/otau.mk
include mk/page.mk
include mk/demo.mk
include mk/test.mk
include mk/endurance.mk
include mk/footprint.mk
include mk/bench.mk
include mk/bench-delta.mk
include mk/bench-queue.mk
include mk/bench-push.mk
include mk/fuzz.mk
include mk/power-loss.mk
include mk/image-test.mk
include mk/hawkbit.mk
