# make demo, make test: all a newcomer needs. Everything goes into .venv, made from the Python there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export DAGSTER_DISABLE_TELEMETRY = yes
unexport PYTHONDONTWRITEBYTECODE  # images set it; the thousands of processes of the tests would each compile everything

.PHONY: demo dev test test-integration soak bench lint format clean install

demo: $(STAMP)  ## run the example pipeline, and say what it found and where to look
	@$(BIN)/python -m example_project.demo

dev: $(STAMP)  ## open Dagster's UI on the example, and the pages of its notebooks
	DAGSTER_HOME= $(BIN)/nb-dagster dev

test: $(STAMP)  ## the tests, under six minutes on two cores
	$(BIN)/python -m pytest -n 2 -m "not slow and not browser and not docker and not k8s and not soak" -q

test-integration: $(STAMP)  ## the long ones: a real browser on a real Dagster, a real Docker engine, a real Kubernetes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "(slow or browser or docker or k8s) and not soak" -q

soak: $(STAMP)  ## two thousand runs with random faults, and fifty at once
	$(BIN)/python -m pytest -m soak -q

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
