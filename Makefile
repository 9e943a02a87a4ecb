# Every target is an alias of a `gongi` command or of a tool.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11 python
SECONDS ?=
# Two workers: most tests wait for real servers most of the time. In their own order: sorted by number of tests,
# the files with few and long ones would all come last.
PYTEST ?= -n 2 --dist loadfile --no-loadscope-reorder
NETWORK ?= examples/school/network.toml
BIN = .venv/bin
NEW = import sys; sys.exit(sys.version_info < (3, 11))
# Debian has venv in a package of its own.
VENV = [ $$(id -u) = 0 ] && command -v apt-get && apt-get -q update && apt-get -q -y install python3-venv

.DEFAULT_GOAL := help
.PHONY: help setup run serve check flash test parts lint bench lock clean

help: ## show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/done ## make .venv from the lock file (any Python 3.11 or later)

.venv/done: requirements.lock pyproject.toml
	@set -e; for python in $(PYTHON); do \
	  if $$python -c '$(NEW)' 2>/dev/null; then found=$$python; break; fi; done; \
	if [ -z "$$found" ]; then echo "Gongi needs Python 3.11 or later, and none of these is: $(PYTHON)." >&2; \
	  echo "Install one, or say: make setup PYTHON=/path/to/python" >&2; exit 1; fi; \
	[ -x $(BIN)/pip ] || $$found -m venv .venv || { $(VENV) && $$found -m venv .venv; } || \
	  { echo "On Debian: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup ## the demonstration: three virtual schools (SECONDS=60 ends it by itself)
	$(BIN)/gongi demo $(if $(SECONDS),--seconds $(SECONDS))

serve: setup ## the gateway for NETWORK=examples/school/network.toml
	$(BIN)/gongi serve $(NETWORK)

check: setup ## name every mistake in NETWORK=examples/school/network.toml
	$(BIN)/gongi check $(NETWORK)

flash: setup ## a board on a cable becomes NODE=3-2-a of SITE=hana (PORT= IMAGE= SENSORS= BATCH= BENCH=1 DRY=1)
	$(BIN)/gongi flash $(if $(NODE),--node $(NODE)) $(if $(SITE),--site $(SITE)) $(if $(PORT),--port $(PORT)) \
	  $(if $(IMAGE),--image $(IMAGE)) $(foreach one,$(SENSORS),--sensor $(one)) $(if $(BATCH),--batch $(BATCH)) \
	  $(if $(filter command environment,$(firstword $(origin NETWORK))),--network $(NETWORK)) \
	  $(if $(BENCH),--bench) $(if $(DRY),--dry-run)

test: parts ## every test, on real parts (installs them first)
	$(BIN)/python -W error -m pytest $(PYTEST)

parts: setup ## Mosquitto, InfluxDB, Chromium and what else the tests run on
	$(BIN)/python -m tests.parts

lint: setup ## ruff, mypy and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## broker to journal, against a bare subscriber
	$(BIN)/python -m bench.ingest

lock: setup ## write requirements.lock anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes \
	  --no-emit-index-url --quiet --upgrade --custom-compile-command "make lock" -o requirements.lock pyproject.toml

clean: ## remove .venv and every cache in the checkout
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
