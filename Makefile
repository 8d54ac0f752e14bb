# Needs python3 (3.11 or later), make and a package registry; installs everything else into .venv.
# CONTRIBUTING.md lists the environment variables that change what the targets run.

PYTHON ?= python3
QUIET := --quiet
VENV := .venv
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest
BENCH := .venv-bench
SWAP := .venv-swap
SUITES := .venv-suites
SBOM := .venv-sbom
FRONT_ENDS := tests/client/node_modules
WHEN := $(PY) -m tests.support.services
# Each test process has its own database. More processes help, because most tests wait for a server.
SPREAD := --numprocesses=auto --dist=loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv unit test test-sqlite test-postgres test-mariadb test-mariadb-server mysqlclient front-ends \
	lint format docs links demo fuzz bench bench-smoke chapters proof suites matrix prerelease package wheel-test sbom clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.dev ## install everything a developer needs into .venv

unit: $(VENV)/.test ## run the fast suite: SQLite, no servers, no browser, no races
	$(PYTEST) tests/unit

test: test-sqlite test-postgres test-mariadb ## run all tests on each database, with coverage on SQLite

# If the packages for tests/swap cannot be installed, its tests are skipped, or fail if required.
test-sqlite: $(VENV)/.test $(VENV)/.docs
	@$(MAKE) --no-print-directory $(SWAP)/.swap >$(VENV)/swap.log 2>&1 \
		|| echo "$(SWAP) could not be created: see $(VENV)/swap.log"
	@$(WHEN) node $(MAKE) --no-print-directory front-ends
	@$(WHEN) --server mariadb $(MAKE) --no-print-directory mysqlclient
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest --numprocesses=auto tests/unit
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report
	$(PYTEST) --ignore=tests/unit $(SPREAD)

test-postgres: $(VENV)/.test
	@$(WHEN) postgres env SIGNET_TEST_DATABASE=postgres $(PYTEST) $(SPREAD)

test-mariadb: $(VENV)/.test
	@$(WHEN) --server mariadb $(MAKE) --no-print-directory test-mariadb-server

test-mariadb-server: mysqlclient
	@$(WHEN) mariadb env SIGNET_TEST_DATABASE=mariadb $(PYTEST) $(SPREAD)

# mysqlclient has to be compiled. If that fails, its tests are skipped, or fail if required.
mysqlclient:
	@$(PY) -m pip install --quiet --group mariadb >$(VENV)/mysqlclient.log 2>&1 \
		|| echo "mysqlclient could not be installed: see $(VENV)/mysqlclient.log"

front-ends: $(FRONT_ENDS)/.installed ## install the npm packages that the client's tests need

lint: $(VENV)/.test $(VENV)/.lint ## check style, formatting, types, the direction of imports, and the release workflow
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/zizmor --offline --quiet .github

chapters: $(VENV)/.test ## print each chapter's files, lines and imports; paste them into the docs
	$(PY) -m tests.support.chapters

format: $(VENV)/.lint ## let ruff fix and format the code
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

# A build that reads only changed pages would lose the search's index entries of the other pages.
docs: $(VENV)/.docs ## build docs/_build; treat warnings as errors
	$(VENV)/bin/sphinx-lint docs src
	$(PY) -m sphinx --fresh-env --fail-on-warning --keep-going --quiet docs docs/_build

links: $(VENV)/.docs ## check the documentation's links to other sites: needs the network
	$(PY) -m sphinx --builder linkcheck --keep-going --quiet docs docs/_build/links

demo: QUIET :=
demo: $(VENV)/.demo ## serve the example project, open its demo page, and print commands to try
	@$(PY) example/demo.py

bench: $(BENCH)/.bench ## compare with other packages on PostgreSQL: 25 minutes; ONLY=storm runs a part
	$(BENCH)/bin/python -m benchmarks $(ONLY)

bench-smoke: $(BENCH)/.bench ## run every step of the benchmarks once, to check that they work
	$(BENCH)/bin/python -m benchmarks --quick $(ONLY)

# The peer is served on MariaDB too, whose driver is compiled; without it, that part fails.
proof: $(VENV)/.test $(BENCH)/.bench $(SWAP)/.swap ## run storms, lost answers, theft, crashes, upgrades: over an hour; ONLY=storm runs a part
	$(PY) -m pip install --quiet --group mariadb
	$(BENCH)/bin/python -m pip install --quiet --group mariadb
	$(PY) -m tests.proof $(ONLY)
	$(BENCH)/bin/python -m tests.proof.charts

fuzz: $(VENV)/.test ## send over 5,000 random requests to the example, made from its OpenAPI schema
	SIGNET_FUZZ_EXAMPLES=300 $(PYTEST) -rP tests/e2e/test_openapi.py -k random

suites: $(SUITES)/.suites ## run the suites of simplejwt and of packages that use it: 10 minutes, network; ONLY=simplejwt
	$(SUITES)/bin/python -m tests.swap.suites $(ONLY)

matrix: $(VENV)/.matrix ## run the fast suite on all pairs of an installed Python and a Django; ONLY=once runs a few
	$(VENV)/bin/nox $(if $(ONLY),--tags $(ONLY))

prerelease: $(VENV)/.matrix ## run the fast suite on the newest pre-release of Django and REST framework
	$(VENV)/bin/nox --session prerelease

package: $(VENV)/.package ## build the wheel and the sdist into dist, and check their contents
	rm -rf dist
	$(PY) -m build
	$(PY) -m twine check --strict dist/*
	$(VENV)/bin/check-wheel-contents dist/*.whl
	$(VENV)/bin/check-sdist

wheel-test: package ## install that wheel into an empty environment, and follow the tutorial
	$(PY) tests/e2e/wheel_tutorial.py dist/*.whl

# The tool has an environment of its own, so that only what the wheel needs is listed.
sbom: package ## list the packages that an installed wheel needs: .venv-sbom/drf-signet.cdx.json
	$(PYTHON) -m venv --clear $(SBOM)
	echo '*' >$(SBOM)/.gitignore
	$(SBOM)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(SBOM)/bin/python -m pip install --quiet --group sbom
	$(PYTHON) -m venv --clear --without-pip $(SBOM)/wheel
	$(SBOM)/bin/python -m pip --python $(SBOM)/wheel/bin/python install --quiet dist/*.whl
	$(SBOM)/bin/cyclonedx-py environment $(SBOM)/wheel --pyproject pyproject.toml --mc-type library \
		--output-reproducible --output-file $(SBOM)/drf-signet.cdx.json

clean: ## remove everything that these targets created
	rm -rf $(VENV) $(BENCH) $(SWAP) $(SUITES) $(SBOM) $(FRONT_ENDS) .nox .coverage* .grimp_cache .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache dist docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp file per dependency group of pyproject.toml.
$(VENV)/.%: pyproject.toml $(VENV)/.pip
	@echo "Installing drf-signet and what the group '$*' of pyproject.toml lists into $(VENV) ..."
	@$(PY) -m pip install $(QUIET) --editable . --group $*
	@touch $@

# Separate environments: they install the compared packages, which development does not need.
$(BENCH)/.bench $(SWAP)/.swap $(SUITES)/.suites: pyproject.toml
	$(PYTHON) -m venv $(@D)
	echo '*' >$(@D)/.gitignore
	$(@D)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(@D)/bin/python -m pip install --quiet --upgrade --editable . --group $(subst .,,$(@F))
	@touch $@

$(FRONT_ENDS)/.installed: tests/client/package-lock.json
	npm --prefix tests/client ci --silent
	@touch $@

# pip supports --group since 25.1.
$(VENV)/.pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	@echo "Creating the virtual environment $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install $(QUIET) 'pip>=25.1'
	@touch $@
