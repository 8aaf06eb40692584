# Everything a newcomer needs. `make help` lists it.

PYTHON ?= python3
# Which build of torch: cpu, or a CUDA version such as cu130 (see pytorch.org for those of this torch).
TORCH_BUILD ?= cpu
VENV ?= .venv

BIN := $(VENV)/bin
USER := $(VENV)/.installed-$(TORCH_BUILD)
DEVELOPER := $(VENV)/.installed-$(TORCH_BUILD)-dev
TORCH := $(shell grep '^torch==' constraints.txt)
# The second index holds builds of torch that PyPI has not. Where it cannot be reached, PyPI's own build is taken.
TORCH_INDEX := https://download.pytorch.org/whl/$(TORCH_BUILD)

# A process for each core, as each test computes with one thread; several test files at once wait for each other's timings.
PYTEST := --numprocesses=auto --maxprocesses=8 --dist=worksteal

.DEFAULT_GOAL := help
.PHONY: help setup sweep report test test-slow lint format clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12
	@echo
	@echo 'TORCH_BUILD=cpu|cu130|...  build of torch to install (now: $(TORCH_BUILD))'
	@echo 'PYTHON=python3.12          Python to set up with, 3.11 or newer'

setup: $(USER)  ## a virtual environment in .venv with pinned versions

$(USER): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo 'Setting up $(VENV), once: torch ($(TORCH_BUILD)), about a minute ...'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --no-deps --retries 1 --timeout 15 --extra-index-url $(TORCH_INDEX) $(TORCH)
	@echo '... and everything else, about another minute ...'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(DEVELOPER): $(USER)
	@echo 'Adding what tests and linters need, about a minute ...'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,demo,export,ray,slurm,postgresql]'
	@touch $@

sweep: setup  ## train, score and time 12 networks on photographs that come with it, then report: about 12 minutes
	@failed=0; \
	$(BIN)/python -m enhance_sweep -m model.channels=16,32,64 model.blocks=1,2,3,4 || failed=$$?; \
	$(BIN)/python -m enhance_sweep.report || failed=$$?; \
	exit $$failed

report: setup  ## the report again, from the records in runs/
	$(BIN)/python -m enhance_sweep.report

test: $(DEVELOPER)  ## the fast tests: a few minutes, no network
	$(BIN)/python -m pytest $(PYTEST)

test-slow: $(DEVELOPER)  ## the slow ones too
	$(BIN)/python -m pytest $(PYTEST) -m 'slow or not slow'

lint: $(DEVELOPER)  ## style, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEVELOPER)  ## put the code into the one style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the virtual environment; runs and reports stay
	rm -rf $(VENV)
