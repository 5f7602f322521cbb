# ecodrivers: everything a developer or a reader runs. `make help` lists the targets.
# Needs GNU make and Python 3.11 or newer; all else is installed into .venv from constraints.txt.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
READY := .venv/.ready
# Interpreters to try for a new .venv, the first that is 3.11 or newer wins; PYTHON=... on the command line
# goes before them all.
PYTHONS := $(PYTHON) python3.13 python3.12 python3.11 python3 python
# Tests run in this many processes; `make test WORKERS=0` runs them in one, as a debugger needs.
WORKERS ?= 2
# The example studies whose reports are committed. The first is the demo.
EXAMPLES := horqin-sim
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# semopy, which a test compares with, comes as source and is built by setuptools.
BUILDERS := hatchling editables setuptools

.PHONY: help run test check bench calibrate schemas reports lock clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

run: $(READY) ## run the demo study and print where its report is
	@$(BIN)/drivers run specs/$(firstword $(EXAMPLES)).yaml

test: $(READY) ## run all tests and doctests
	$(BIN)/python -m pytest -n $(WORKERS)

check: $(READY) ## lint, formatting, types, and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-logo

bench: $(READY) ## time and memory of a fit by number of pixels
	$(BIN)/python tests/benchmarks/bench_psem.py
	$(BIN)/python tests/benchmarks/bench_errors.py
	$(BIN)/python tests/benchmarks/bench_lsem.py
	$(BIN)/python tests/benchmarks/bench_geodetector.py
	$(BIN)/python tests/benchmarks/bench_brt.py
	$(BIN)/python tests/benchmarks/bench_trend.py
	$(BIN)/python tests/benchmarks/bench_table.py

calibrate: $(READY) ## false alarms and intervals of each method, block folds against far pixels (hours)
	$(BIN)/python tests/calibration/inference.py --workers $(WORKERS)
	$(BIN)/python tests/calibration/latent_size.py --workers $(WORKERS)
	$(BIN)/python tests/calibration/geodetector_size.py
	$(BIN)/python tests/calibration/tree_folds.py

schemas: $(READY) ## rewrite the JSON Schemas in specs/schema/
	$(BIN)/python -m drivers.spec.schema

reports: $(READY) ## run the example studies again into reports/
	@set -e; for name in $(EXAMPLES); do $(BIN)/drivers run "specs/$$name.yaml"; done

lock: ## resolve the newest versions in a fresh environment and rewrite constraints.txt
	rm -rf build/lock
	@$(FIND_PYTHON); "$$python" -m venv build/lock
	build/lock/bin/python -m pip --disable-pip-version-check --quiet install $(BUILDERS) '.[dev]'
	@{ grep '^#' constraints.txt; \
	   build/lock/bin/python -m pip freeze --all --exclude ecodrivers --exclude pip | grep '=='; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/lock

clean: ## remove caches and builds
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find drivers tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	rm -rf .venv

# Sets $python to the first interpreter that will do, or stops with a sentence that says what is missing.
define FIND_PYTHON
python=; \
for each in $(PYTHONS); do \
  if "$$each" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
  then python=$$each; break; fi; \
done; \
if [ -z "$$python" ]; then \
  echo 'ecodrivers needs Python 3.11 or newer with its venv module, and none of these is one:' >&2; \
  echo '  $(strip $(PYTHONS))' >&2; \
  echo 'Install one (on Debian: python3 and python3-venv), or name it: make PYTHON=/path/to/python3.12' >&2; \
  exit 1; \
fi
endef

# The environment is made once, and its packages are installed again only when one of these files changes.
# The build backend comes first, at its locked version, so that nothing is resolved outside the lock.
$(READY): pyproject.toml constraints.txt
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  $(FIND_PYTHON); \
	  echo "Making .venv with $$("$$python" --version); this takes a few minutes, once." >&2; \
	  "$$python" -m venv --clear .venv; \
	fi
	@$(PIP) install -c constraints.txt $(BUILDERS)
	@$(PIP) install --no-build-isolation -c constraints.txt -e '.[dev]'
	@touch $@
