# make dist: the release tarball with its vendored crates, and the Buildroot external tree that builds it, in dist/.

.PHONY: dist
dist:
	tools/dist.sh
