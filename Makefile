# Two commands on a machine with Python 3.11+ and make: `make demo` and `make test`. Both set up what they need.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.made
UV_VERSION := 0.13.8
UV := $(BIN)/uv
INSTALL := VIRTUAL_ENV=$(abspath $(VENV)) $(UV) pip install --quiet
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" pyproject.toml --group build

# Each command is a process, and the tests start hundreds: without byte code every one of them compiles Dagster anew.
unexport PYTHONDONTWRITEBYTECODE

# A file's tests share what they start, so they stay together.
AT_ONCE := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: help demo ui test test-long test-compiled wheel check format bench lock demo-artifacts clean

help:  ## Say what can be made.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/' | awk -F: '{printf "  make %-16s%s\n", $$1, $$2}'

demo: $(STAMPS)/run  ## Sync the demo shop, and show where a dashboard's numbers come from.
	@$(BIN)/python -m pipelines.demo

ui: $(STAMPS)/run  ## Open Dagster's UI on the demo.
	@$(BIN)/headwater --project pipelines/demo/shop ui

test: $(STAMPS)/dev $(STAMPS)/plugins  ## Run the tests.
	@$(BIN)/pytest -q $(AT_ONCE)

test-long: $(STAMPS)/dev $(STAMPS)/plugins  ## Run the tests with the full counts of what `make test` samples.
	@HEADWATER_LONG=1 $(BIN)/pytest -q --timeout 1800

wheel: $(STAMPS)/dev  ## Build the wheel in dist/, its SQL engine compiled to C: for where headwater is to work, and fast.
	@rm -rf dist
	@$(BIN)/python -m hatchling build --target wheel

# The wheel's packages beside the tests: nothing there falls back on the checkout's source.
test-compiled: wheel  ## Test the wheel's compiled SQL engine.
	@rm -rf $(VENV)/compiled && mkdir -p $(VENV)/compiled
	@$(BIN)/python -m zipfile -e dist/headwater-*.whl $(VENV)/compiled/headwater
	@cp -R tests pyproject.toml $(VENV)/compiled/headwater
	@ln -s $(abspath ../shared) $(VENV)/compiled/shared
	@cd $(VENV)/compiled/headwater && PYTHONPATH=. $(abspath $(BIN))/python -c \
		"from lineage.sql import program; assert not program.__file__.endswith('.py'), 'there is no C compiler'"
	@cd $(VENV)/compiled/headwater && $(abspath $(BIN))/pytest -q tests/lineage/sql tests/contract/test_sql_kit.py

check: $(STAMPS)/dev  ## Lint, types, layers.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMPS)/dev  ## Put the code into form.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMPS)/dev $(STAMPS)/plugins  ## Measure, beside peers or a lower bound; figures stand in bench/RESULTS.md.
	@$(BIN)/python -m bench

demo-artifacts: $(STAMPS)/dev  ## Make the demo's dbt artifacts again, with dbt itself.
	@$(BIN)/python -m pipelines.demo.build_dbt

lock: $(STAMPS)/uv  ## Choose the newest allowed versions again.
	@$(COMPILE) --upgrade --group dev --output-file requirements-dev.lock
	@$(COMPILE) --upgrade --constraint requirements-dev.lock --output-file requirements.lock
	@$(subst pyproject.toml --group build,requirements-plugins.in,$(COMPILE)) --upgrade \
		--output-file requirements-plugins.lock

clean:  ## Remove what was set up and what tools left.
	rm -rf $(VENV) dist pipelines/demo/shop/data pipelines/demo/shop/.headwater .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(STAMPS)/uv:
	@echo "setting up $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: $(STAMPS)/uv requirements.lock pyproject.toml
	@test -f $(STAMPS)/dev || { echo "installing headwater" && $(INSTALL) --require-hashes -r requirements.lock; }
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# secodadk pins a version of httpx that it does not need: it goes in by itself.
$(STAMPS)/dev: $(STAMPS)/run requirements-dev.lock requirements-nodeps.lock
	@echo "installing what tests and checks need"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@$(INSTALL) --require-hashes --no-deps -r requirements-nodeps.lock
	@touch $@

# CloudQuery plugins, and a server that speaks S3, run in an environment of their own: their pins are not ours.
$(STAMPS)/plugins: $(STAMPS)/uv requirements-plugins.lock
	@echo "installing what CloudQuery plugins and the object store of the tests need"
	@test -x $(VENV)/plugins/bin/python || $(BIN)/python -m venv --without-pip $(VENV)/plugins
	@VIRTUAL_ENV=$(abspath $(VENV)/plugins) $(UV) pip install --quiet --require-hashes -r requirements-plugins.lock
	@touch $@
