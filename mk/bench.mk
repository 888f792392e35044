# make bench: what work costs, beside its limits and its peers: an over-the-air install against curl | tar xz, and the queue's rows where
# there is a bench-queue. JSON=1 for machines.

.PHONY: bench bench-ota
bench: bench-ota

bench-ota: footprint-builds murano
	cd tests && python3 -m measure.bench $(if $(JSON),--json)
