# make demo   the main job, end to end, on the sample
# make test   lint, types, import rules, notebooks, tests

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The tests start several hundred processes: without byte code each compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo setup test test-long lint format lock clean-demo notebooks benchmark benchmark-big

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## make .venv from the lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 demo"; exit 1; }
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --clear --seed --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  { $(PYTHON) -m venv --clear $(VENV) || { echo "venv is missing: on Debian, apt-get install python3-venv"; exit 1; } ; } && \
	  echo "installing pinned packages with pip (1 to 2 minutes; seconds with uv)" && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $(READY)

demo: $(READY) ## sample data, ingest, campaign, export to the embedded receiver
	@$(BIN)/workbench demo

clean-demo: ## forget the demo's state and sample
	rm -rf .workbench data/sample/raw

lint: $(READY) ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(READY) ## fix what can be fixed by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: $(READY) ## run every notebook and dashboard on a small account
	$(BIN)/python -m pytest -q -p notebook_account --nbval-lax -W default notebooks dashboards

# Many tests wait for processes and servers: three workers fill two cores, and whoever is done takes from the others.
WORKERS ?= -n 3 --dist worksteal
TOGETHER := -j 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

test: $(READY) ## everything that must pass before a commit
	@$(MAKE) --no-print-directory $(TOGETHER) lint notebooks
	$(BIN)/python -m pytest -q $(WORKERS) -m "not long" tests workbench

test-long: $(READY) ## long property, kill, fresh-clone and memory runs
	$(BIN)/python -m pytest -q $(WORKERS) -m long tests

benchmark: $(READY) ## peak memory and times of the sample and of ten times the sample
	$(BIN)/python benchmarks/sample.py

BIG ?= .workbench/benchmark

benchmark-big: $(BIG)/big/ingest.json $(BIG)/small/ingest.json ## the performance targets on 100 million events (3 GB of data)
	$(BIN)/python benchmarks/big/targets.py $(BIG)/big --small $(BIG)/small --json $(BIG)/targets.json

$(BIG)/big/ingest.json: | $(READY)
	$(BIN)/python benchmarks/big/generate.py $(BIG)/raw
	$(BIN)/python benchmarks/big/load.py $(BIG)/raw $(BIG)/big

$(BIG)/small/ingest.json: | $(READY)
	$(BIN)/python benchmarks/big/generate.py $(BIG)/raw-small --users 100000 --events 5000000
	$(BIN)/python benchmarks/big/load.py $(BIG)/raw-small $(BIG)/small

lock: ## resolve pyproject.toml anew (needs uv)
	uv pip compile --no-emit-index-url --universal --python-version 3.11 --extra dev --no-header --quiet \
	  pyproject.toml -o requirements.lock
	$(BIN)/python tests/pins.py environment.yml
