# make check-reproducible: two builds of one release, in two folders and with crates from two places, give the same bytes.
#
# REPRODUCIBLE   the sets of features to build: none, tls-openssl, tls-rustls

REPRODUCIBLE ?= tls-openssl

.PHONY: check-reproducible
check-reproducible:
	tools/check-reproducible.sh $(REPRODUCIBLE)
