# One command for each thing people do here; `make help` lists them.
#
#   PYTHON=python3.12     the Python (3.11 or newer) that .venv is made from
#   CORES=8               jobs at a time
#   WORKERS=0             test processes; 0 runs the tests in one process, for a debugger
#   MARK=                 which tests: a pytest marker expression; empty runs the slow ones too

PYTHON ?= python3
CORES ?= 2
WORKERS ?= $(CORES)
MARK ?= not slow
UV ?= uv

BIN := .venv/bin
PIP := $(BIN)/pip -qq --disable-pip-version-check
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
DEMO := --configfile config/demo.yaml

# Compiled bytecode makes every job start a second earlier.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slurm check run lock clean help
.DEFAULT_GOAL := help

demo: .venv/.ready            ## simulate a small cohort, run everything on it, compare planted with recovered effects
	$(SNAKEMAKE) --snakefile workflow/demo.smk $(DEMO) -- simulate_cohort
	$(SNAKEMAKE) $(DEMO)
	$(BIN)/snakemake --cores 1 --snakefile workflow/demo.smk $(DEMO) -- compare_planted
	@echo "report: results/demo/morpho/report/index.html"

run: .venv/.ready             ## your cohort: make run CONFIG=my.yaml
	@test -n "$(CONFIG)" || { echo "Name your configuration: make run CONFIG=my.yaml (its keys: config/README.md)"; exit 2; }
	$(SNAKEMAKE) --configfile "$(CONFIG)"

# One thread per process: the processes keep all cores busy, and sums do not depend on the number of threads.
test: export ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS := 1
test: export OMP_NUM_THREADS := 1
test: export OPENBLAS_NUM_THREADS := 1
test: export MKL_NUM_THREADS := 1
test: .venv/.ready            ## the tests; those that were skipped are listed with the reason
	$(BIN)/pytest -m "$(MARK)" -n $(WORKERS) --dist loadscope

check: .venv/.ready           ## what CI runs: format, lint, imports, types, spelling, then the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/codespell
	$(MAKE) test

test-slurm: .venv/.ready      ## the workflow on a Slurm of two nodes on this machine (root; Debian: slurm-wlm munge)
	tests/slurm/run.sh

# The lock holds exact versions and hashes for Python 3.11 and newer on Linux and macOS, and no address: what morpho
# needs to run, to be developed and (hatchling, editables) to be installed. What only training needs is not in it.
lock:                         ## refresh requirements.lock (needs uv)
	@command -v $(UV) >/dev/null || { echo "uv is needed (pip install uv), or name it: make lock UV=path/to/uv"; exit 2; }
	printf '%s\n' hatchling editables | $(UV) pip compile pyproject.toml - --extra dev --upgrade \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--quiet --output-file requirements.lock

clean:                        ## remove .venv, caches and the demo's results; other results stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis results/demo
	find src tests workflow training benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

help:                         ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

# The lock is complete, so nothing is resolved here (--no-deps).
.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "morpho needs Python 3.11 or newer, and $(PYTHON) is not. Name one that is: make PYTHON=python3.12 ..."; exit 2; }
	@echo "Setting up .venv with $$($(PYTHON) --version); the first time this takes some minutes"
	@set -e; if command -v $(UV) >/dev/null; then \
		$(UV) venv --quiet --seed --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv; \
		$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --require-hashes -r requirements.lock; \
	else \
		$(PYTHON) -m venv .venv || { \
			echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 2; }; \
		$(PIP) install --no-deps --require-hashes -r requirements.lock; \
	fi
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
