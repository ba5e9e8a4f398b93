"""Benchmarks: `python -m bench` runs all, `python -m bench NAME` one. Each runs its peer in the same run.

No tests: they say how much, and next to what. The last figures stand in RESULTS.md.
"""
