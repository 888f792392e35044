"""Measures the agent beside its limits and its peers, in one run: `make footprint` and `make bench`.

Counts, ratios and memory, never seconds against a limit: machines are noisy. What cannot be measured here says so by name.
"""
