# `make help` lists what there is. Everything runs in .venv, from pinned requirements.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	>/dev/null 2>&1 && echo $$p && break; done)
# Tests run in two processes, file by file; WORKERS=0 runs them in one, as a debugger wants it.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest tests -n $(WORKERS) --dist loadfile --durations=10
export JOURNEYLINE_HOME ?= $(CURDIR)/var
PIN := uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate

.PHONY: help run test test-slow test-long lint ui bench pins clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .stamp-run ## Install, generate the demo company if nothing has landed, run the nights that wait
	@ls -d "$$JOURNEYLINE_HOME"/landing/*/*/*/ >/dev/null 2>&1 || $(BIN)/journeyline demo
	@$(BIN)/journeyline run

test: .stamp-dev ## The fast tests
	$(PYTEST) -m "not slow"

test-slow: .stamp-dev ## The slow tests
	$(PYTEST) -m "slow and not long" || [ $$? -eq 5 ]

test-long: .stamp-dev ## Hours: 300 random kills of the publisher, a kill after every asset of a run
	$(PYTEST) -m long

lint: .stamp-dev ## ruff, ruff format, mypy, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project/models dbt_project/tests --processes 2

ui: .stamp-run ## Dagster's UI on http://127.0.0.1:3000
	@$(BIN)/python -m orchestration.defs.launch
	DAGSTER_HOME="$$JOURNEYLINE_HOME/dagster" $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p 3000

bench: .stamp-run ## The smoke benchmark; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks.smoke

pins: ## Resolve requirements*.in into requirements*.txt (needs uv)
	$(PIN) requirements.in -o requirements.txt
	$(PIN) requirements-dev.in -o requirements-dev.txt

clean: ## Delete the environment and caches; the home folder stays
	rm -rf .venv .stamp-* .mypy_cache .ruff_cache .pytest_cache *.egg-info

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 with venv was found."; \
		echo "next: install one, or type make PYTHON=/path/to/python3.12 run"; exit 2; }
	$(PYTHON) -m venv .venv

# Byte code is compiled on purpose: without it every start costs several times as much.
.stamp-run: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	$(BIN)/python -m compileall -q -j 0 .venv/lib orchestration >/dev/null || true
	@touch $@

.stamp-dev: requirements-dev.txt .stamp-run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements-dev.txt
	$(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null || true
	@touch $@
