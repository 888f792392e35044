# make check-images: what goes into an image, checked with the tools that will read it. A tool that is missing makes its test say
# "skipped: needs …"; .ci/run installs them all.

.PHONY: check-images
check-images: .venv/ready
	.venv/bin/python -m unittest discover -s tests/images -v

.venv/ready: tests/requirements.txt
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	touch $@
