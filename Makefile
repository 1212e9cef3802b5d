# Everything starts from an empty clone: each target makes what it needs first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/installed
LINTERS := .venv/linters
# Test processes; each starts servers of its own and gets one thread for tensors, because threads of
# several processes that fight for the cores are ten times slower.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help venv demo up stack test fast coverage slow integrations chaos fuzz tables linters deployment lint format types contracts clean

help: ## This overview
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 14

venv: $(STAMP) ## Make .venv with everything in it (PYTHON=… picks the interpreter)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check -q -e '.[all,dev]'
	@touch $@

demo: $(STAMP) ## Start the service, protect sample photos, write pictures into demo-out/
	$(BIN)/photoward demo --out demo-out

up: $(STAMP) ## Run the service on http://127.0.0.1:8080 until Ctrl-C
	$(BIN)/photoward up

stack: $(STAMP) ## Run docker-compose.yml as plain processes on loopback until Ctrl-C (PORT=…)
	@$(BIN)/python -m tests.support.loopback $(if $(PORT),--port $(PORT))

test: fast slow ## Run all tests: the fast ones, then the slow ones

FAST := -m 'not slow and not system and not gpu and not bench and not integration' --durations=15
fast: $(STAMP) ## Run the fast tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n $(JOBS) $(FAST)

coverage: $(STAMP) ## Run the fast tests and show their branch coverage
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n $(JOBS) $(FAST) --cov --cov-report=term

# In order of names: files of few tests, the longest among them, would else be left for the end.
slow: $(STAMP) ## Run the tests that take long or start the whole service
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations=15 -m '(slow or system or gpu) and not bench and not chaos and not integration'

integrations: $(STAMP) ## Run the integrations against the real hosts, which it installs into .integrations
	$(BIN)/pytest -q -m integration

FAULTS := $(addprefix tests/system/test_,worker_faults.py crash_points.py fetch_faults.py broker_faults.py \
	store_faults.py gateway_faults.py webhook_faults.py load_faults.py upload_faults.py erasure.py two_at_once.py chaos.py sync_ten_thousand.py)

chaos: $(STAMP) ## Let everything die that can, as often as promised (an hour); OUT=FILE keeps what was measured
	PHOTOWARD_CHAOS=full PHOTOWARD_FAULTS_OUT=$(OUT) $(BIN)/pytest -q --no-cov -m '' $(FAULTS)

fuzz: $(STAMP) ## Feed broken pictures to the decoders for SECONDS (600)
	$(BIN)/pip install --disable-pip-version-check -q 'atheris>=3'
	PYTHONPATH=. $(BIN)/python -m tests.fuzz.decode -max_total_time=$(or $(SECONDS),600)

tables: $(STAMP) ## Write the generated parts of the documents
	$(BIN)/python docs/tables.py
	$(BIN)/python docs/configuration.py

linters: $(LINTERS)/installed ## Make the environment of the deployment's linters

deployment: $(STAMP) linters ## Check docker/ with what needs neither engine nor cluster
	$(BIN)/pytest -q --no-cov tests/docker

# By themselves: checkov wants other versions of what we use.
$(LINTERS)/installed:
	$(PYTHON) -m venv $(LINTERS)
	$(LINTERS)/bin/pip install --disable-pip-version-check -q 'checkov>=3.3.30' 'gixy-next>=0.9'
	@touch $@

lint: $(STAMP) ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP) ## Mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP) ## Check types over code and tests
	$(BIN)/mypy

contracts: $(STAMP) ## Check which room may import which
	$(BIN)/lint-imports

clean: ## Remove what was made here, but no data and no .venv
	rm -rf demo-out build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
