# make demo [INPUT=dir] [OUTPUT=dir]   colorize photographs of scikit-image, or your own
# make test                            run each command once, Ray, a training, S3 and a killed run; 10 minutes
# make test-all                        run the other tests: clusters, lost machines, faults; 25 minutes
# make check                           check format, lint, types, and the layers of imports
# make constraints                     pin the newest versions of all packages (needs uv)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUTPUT ?= demo-output
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all check constraints

demo: $(VENV)/.installed
	$(BIN)/python -m jobs.demo "$(OUTPUT)" $(if $(INPUT),--input "$(INPUT)")

# Three for two cores, since tests wait for processes, too.
PYTEST := $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

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
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 13) or sys.exit("Python %d.%d is not supported%s. Install Python 3.10 to 3.13, then run: make PYTHON=python3.12" % (*v, " yet" if v > (3, 13) else ""))'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP_INSTALL) --editable '.[dev,encoders,heic]'
	@touch $@
