# make demo [INPUT=dir] [OUTPUT=dir]   colorize real photographs, or your own
# make test                            the tests: every command, Ray, a training, S3, a killed run; 10 minutes
# make test-all                        the rest of the tests: clusters, lost machines, faults; 25 minutes
# make check                           lint, types, and which room may import which
# make constraints                     pin the newest versions (needs uv)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUTPUT ?= demo-output
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all check constraints

demo: $(VENV)/.installed
	$(BIN)/python -m jobs.demo "$(OUTPUT)" $(if $(INPUT),--input "$(INPUT)")

PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.installed-dev
	$(PYTEST) -m "not thorough"

test-all: $(VENV)/.installed-dev
	$(PYTEST) -m thorough

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

constraints:
	uv pip compile --universal --python-version 3.10 --all-extras --no-header --no-annotate --no-emit-index-url \
		--upgrade --quiet pyproject.toml --output-file constraints.txt

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 13) or sys.exit(f"colorize needs Python 3.10 to 3.13, {sys.executable} is {v[0]}.{v[1]}: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP_INSTALL) --editable '.[dev,encoders,heic]'
	@touch $@
