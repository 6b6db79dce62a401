# Everything that is done with a checkout. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin

# The lab makes network namespaces and mounts, for which it must be root; caches stay where they are.
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo "XDG_CACHE_HOME=$${XDG_CACHE_HOME:-$$HOME/.cache}")

# Programs that run from a checkout start seconds sooner from byte code; pytest keeps what it makes of the tests.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test quick test-long test-deep bench check format up down status clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
		printf '  make %-9s %s\n' "$$name" "$$text"; done

setup: ## install all that the lab needs (Debian packages, Python environment, Temporal, vCenter simulator)
	@deploy/setup.sh

demo: setup ## start the embedded lab and watch one reservation from end to end
	@$(ROOT) $(BIN)/vclab demo

test: ## set up, then run the tests, three at a time; with ARGS="tests/store -k claims" only some
	@deploy/setup.sh tests
	$(ROOT) $(BIN)/pytest -n 3 --no-loadscope-reorder $(ARGS)

quick: ## the light tests, in under two minutes: neither root nor the lab; ARGS as above
	@deploy/setup.sh tests
	$(BIN)/pytest -n 2 --no-loadscope-reorder -m 'not heavy and not long and not deep' $(ARGS)

test-long: ## the tests that `make test` leaves out: over an hour of faults on the whole stack and on a node
	@deploy/setup.sh tests
	$(ROOT) $(BIN)/pytest -n 2 --no-loadscope-reorder -m long $(ARGS)

test-deep: ## machines that really boot (QEMU without KVM, BIOS and UEFI); installs QEMU, builds a real Debian
	@deploy/setup.sh deep
	@$(ROOT) $(BIN)/python -m tests.deep.image
	$(ROOT) $(BIN)/pytest -n 2 --no-loadscope-reorder -m deep $(ARGS)

bench: setup ## measure what a life, a placement and a load cost (about ten minutes; docs/performance.md)
	@for bench in lifecycle placement vsphere; do $(BIN)/vclab bench $$bench; done

check: setup ## formatting, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format the code, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

up: setup ## start the embedded lab
	@$(ROOT) $(BIN)/vclab up

down: ## stop the embedded lab; all it knows is there at the next start
	@$(ROOT) $(BIN)/vclab down

status: ## what runs
	@$(ROOT) $(BIN)/vclab status

clean: ## remove the Python environment and what tools leave behind; not the lab, not the cache of built programs
	rm -rf .venv *.egg-info build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
