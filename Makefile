# Needs python3 (3.11 or later), make and the package registry; everything else goes into .venv.
# CONTRIBUTING.md says which environment variables change what is run.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest
BENCH := .venv-bench
SWAP := .venv-swap
FRONT_ENDS := tests/client/node_modules
WHEN := $(PY) -m tests.services
# Each process has a database of its own, on a server that mostly waits for its disk.
SPREAD := --numprocesses=auto --dist=loadfile

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv unit test test-sqlite test-postgres test-mariadb test-mariadb-server front-ends \
	lint format docs demo bench bench-smoke matrix wheel-test clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.dev ## install everything a developer needs into .venv

unit: $(VENV)/.test ## the fast suite: SQLite, no servers, no browser, no races
	$(PYTEST) tests/test_*.py

test: test-sqlite test-postgres test-mariadb ## the whole suite on each database; coverage on SQLite

# Where the packages of the swap cannot be had, its tests are skipped, or fail if they are required.
test-sqlite: $(VENV)/.test
	@$(MAKE) --no-print-directory $(SWAP)/.swap >$(VENV)/swap.log 2>&1 \
		|| echo "$(SWAP) could not be made: see $(VENV)/swap.log"
	@$(WHEN) node $(MAKE) --no-print-directory front-ends
	$(PY) -m coverage run -m pytest
	$(PY) -m coverage report

test-postgres: $(VENV)/.test
	@$(WHEN) postgres env SIGNET_TEST_DATABASE=postgres $(PYTEST) $(SPREAD)

test-mariadb: $(VENV)/.test
	@$(WHEN) --server mariadb $(MAKE) --no-print-directory test-mariadb-server

# mysqlclient is compiled; where that fails, the suite is skipped, or has failed if it is required.
test-mariadb-server:
	@$(PY) -m pip install --quiet --group mariadb >$(VENV)/mysqlclient.log 2>&1 \
		|| echo "mysqlclient could not be installed: see $(VENV)/mysqlclient.log"
	@$(WHEN) mariadb env SIGNET_TEST_DATABASE=mariadb $(PYTEST) $(SPREAD)

front-ends: $(FRONT_ENDS)/.installed ## install what the client's tests need, from npm

lint: $(VENV)/.test $(VENV)/.lint ## style, formatting, types, and the direction of imports
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(VENV)/.lint ## let ruff mend what it can
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

docs: $(VENV)/.docs ## build docs/_build; a warning is an error
	$(PY) -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build

demo: $(VENV)/.test ## serve the example project, and say what to try
	$(PY) example/demo.py

bench: $(BENCH)/.bench ## measure beside the peers, on PostgreSQL: 15 minutes; ONLY=storm for a part
	$(BENCH)/bin/python -m benchmarks $(ONLY)

bench-smoke: $(BENCH)/.bench ## every step of the benchmarks once, so that they keep working
	$(BENCH)/bin/python -m benchmarks --quick $(ONLY)

matrix: $(VENV)/.matrix ## the fast suite on every Python found here and every Django
	$(VENV)/bin/nox

wheel-test: $(VENV)/.package ## build, install into an empty environment, follow the tutorial
	rm -rf dist
	$(PY) -m build
	$(PY) tests/wheel_tutorial.py dist/*.whl

clean: ## remove everything that was made here
	rm -rf $(VENV) $(BENCH) $(SWAP) $(FRONT_ENDS) .nox .coverage* .grimp_cache .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache dist docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per dependency group of pyproject.toml.
$(VENV)/.%: pyproject.toml $(VENV)/.pip
	$(PY) -m pip install --quiet --editable . --group $*
	@touch $@

# Environments of their own: the peers, in their current versions, are no part of the development.
$(BENCH)/.bench $(SWAP)/.swap: pyproject.toml
	$(PYTHON) -m venv $(@D)
	echo '*' >$(@D)/.gitignore
	$(@D)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(@D)/bin/python -m pip install --quiet --upgrade --editable . --group $(subst .,,$(@F))
	@touch $@

$(FRONT_ENDS)/.installed: tests/client/package-lock.json
	npm --prefix tests/client ci --silent
	@touch $@

# pip knows --group since 25.1.
$(VENV)/.pip:
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@
