"""Benchmarks: what the pipeline costs, in a table that a command writes (docs/benchmarks.md)."""
