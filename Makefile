# make demo, make test: all a newcomer needs. Everything goes into .venv, made from the Python there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export DAGSTER_DISABLE_TELEMETRY = yes

.PHONY: demo dev test test-integration bench lint format clean install

demo: $(STAMP)  ## run the example pipeline, and say what it found and where to look
	@$(BIN)/python -m example_project.demo

dev: $(STAMP)  ## open Dagster's UI on the example
	@$(BIN)/python -c "from nb_dagster.cli.history import use_default_home; use_default_home()"
	DAGSTER_HOME=$(CURDIR)/.nb_dagster $(BIN)/dagster dev -w workspace.yaml

test: $(STAMP)  ## the tests, under six minutes on two cores
	$(BIN)/python -m pytest -n 2 -m "not slow and not browser" -q

test-integration: $(STAMP)  ## the long ones: a real browser on a real Dagster
	$(BIN)/python -m pytest -m "slow or browser" -q

bench: $(STAMP)  ## nb_dagster beside its peers, in one run; writes benchmarks/RESULTS.md
	$(BIN)/python -c "import ploomber_engine" 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	$(BIN)/python -m benchmarks.run $(ROWS)

lint: $(STAMP)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

install: $(STAMP)

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing nb_dagster and what it needs into $(VENV) (once, a few minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf .nb_dagster .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
