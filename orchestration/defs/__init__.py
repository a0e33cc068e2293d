"""Thin Dagster: assets, checks, schedule and sensor around `orchestration.pipeline`."""
