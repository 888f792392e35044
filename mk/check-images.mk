# make check-images: what goes into an image, checked with the tools that will read it. A tool that is missing makes its test say
# "skipped: needs …"; .ci/run installs them all.

.PHONY: check-images venv
check-images: export GWE_BIN ?= $(RELEASED)
check-images: build venv
	@if [ -e .venv/ready ]; then .venv/bin/python -m unittest discover -s tests/images -v; \
	else why="needs python3-venv"; echo "skipped: $$why"; [ -z "$$GWE_SKIPPED" ] || printf 'check-images\t%s\n' "$$why" >>"$$GWE_SKIPPED"; fi

# The tests' own Python packages, where this Python can have a .venv. What needs them is skipped else, and says so.
venv: .venv/ready

.venv/ready: tests/requirements.txt
	@tests/venv.sh --requirement tests/requirements.txt && touch $@ || [ $$? = 3 ]
