# Everything runs from .venv, which the first target that needs it makes. Python 3.11+ and make are enough.
#   make demo   PYTHON=python3.12        choose the interpreter that makes .venv
#   make test   WORKERS=4                parallel test processes

PYTHON  ?= python3
WORKERS ?= 2

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check
BENCHMARKS := $(sort $(wildcard benchmarks/[a-z]*.py))
PINS := setup.cfg pyproject.toml constraints.txt Makefile

.DEFAULT_GOAL := help
.PHONY: help setup setup-all demo test test-all check docs bench page clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.stamp  ## install what the demo, the tests and the checks need

setup-all: $(VENV)/.stamp-all  ## the same with Ray, other learners' libraries, and what the docs site needs

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; '$(PYTHON)' is not. Name another one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# PyTorch by itself and first, so that no other package chooses its build.
$(VENV)/.stamp: $(PINS) | $(BIN)/python
	@echo "Installing into $(VENV) (once, a few minutes)"
	$(PIP) install -c constraints.txt "$$(grep '^torch==' constraints.txt)"
	$(PIP) install -c constraints.txt -e '.[train,quantum,notebooks,dev]'
	@touch $@

$(VENV)/.stamp-all: $(VENV)/.stamp
	@echo "Installing Ray, other learners' libraries and MkDocs into $(VENV) (once, a few minutes)"
	$(PIP) install -c constraints.txt -e '.[train,quantum,ray,clients,notebooks,docs,dev]'
	@touch $@

demo: setup  ## the main job in about a minute: rescue missions, one per advisor, compared
	$(BIN)/qdt demo

test: setup  ## the tests, without those marked slow
	$(BIN)/pytest -n $(WORKERS) -m "not slow"

test-all: setup-all  ## every test, the slow ones and those that need Ray too
	$(BIN)/pytest -n $(WORKERS)

check: setup  ## lint, format, types, import layers, then the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory test

docs: setup-all  ## the docs site, in build/site
	$(BIN)/mkdocs build

bench: setup  ## run every benchmark in benchmarks/
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script; done

# Needs Node.js 20 or newer. The page is committed, so that only those who change its sources need this.
page:  ## build the replay page from its sources in qdt_env/viewer/page
	cd qdt_env/viewer/page && npm ci --ignore-scripts && npm run check && npm run build

clean:  ## remove .venv, caches and what the demo wrote
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis qdt_env/viewer/page/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
