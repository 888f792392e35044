# make sbom: what each set of features is built from, as CycloneDX: target/sbom/gwe-FEATURES.cdx.json. make dist puts them into the release.
# make licences: LICENSE-CRATES anew, the licence texts of all crates that are built in; then the recipes' hashes of it have to follow, and a
# test of check-images says what they are to be.

SBOM_FEATURES = none tls-openssl tls-rustls

.PHONY: sbom licences
sbom:
	mkdir -p target/sbom
	for features in $(SBOM_FEATURES); do tools/sbom.py bill "$$features" >"target/sbom/gwe-$$features.cdx.json" || exit 1; done

licences:
	tools/sbom.py licences >LICENSE-CRATES.new
	mv LICENSE-CRATES.new LICENSE-CRATES
