# Everything a newcomer needs. `make help` lists it.

PYTHON ?= python3
# The build of torch: cpu, or a CUDA version such as cu130 (pytorch.org lists those for each torch).
TORCH_BUILD ?= cpu
VENV ?= .venv

BIN := $(VENV)/bin
USER := $(VENV)/.installed-$(TORCH_BUILD)
DEVELOPER := $(VENV)/.installed-$(TORCH_BUILD)-dev
TORCH := $(shell grep '^torch==' constraints.txt)
# The second index holds builds of torch that PyPI does not have. If it cannot be reached, pip takes PyPI's build.
TORCH_INDEX := https://download.pytorch.org/whl/$(TORCH_BUILD)

# One process for each core, since each test computes with one thread; tests that time wait for each other.
PYTEST := --numprocesses=auto --maxprocesses=8 --dist=worksteal

.DEFAULT_GOAL := help
.PHONY: help setup sweep report test test-slow lint format clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12
	@echo
	@echo 'TORCH_BUILD=cpu|cu130|...  build of torch to install (now: $(TORCH_BUILD))'
	@echo 'PYTHON=python3.12          Python to set up with, 3.11 or newer'

setup: $(USER)  ## make a virtual environment in .venv with pinned versions

$(USER): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo 'Setting up $(VENV), once: torch ($(TORCH_BUILD)), about a minute ...'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --no-deps --retries 1 --timeout 15 --extra-index-url $(TORCH_INDEX) $(TORCH)
	@echo '... and everything else, about another minute ...'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(DEVELOPER): $(USER)
	@echo 'Adding what the tests and linters need, about a minute ...'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,demo,export,ray,slurm,postgresql]'
	@touch $@

sweep: setup  ## train, score and time 12 networks on installed photographs, then report: about 13 minutes
	@failed=0; \
	$(BIN)/python -m enhance_sweep -m model.channels=16,32,64 model.blocks=1,2,3,4 || failed=$$?; \
	$(BIN)/python -m enhance_sweep.report || failed=$$?; \
	exit $$failed

report: setup  ## make the report again, from the records in runs/
	$(BIN)/python -m enhance_sweep.report

test: $(DEVELOPER)  ## run the fast tests: a few minutes, no network
	$(BIN)/python -m pytest $(PYTEST)

test-slow: $(DEVELOPER)  ## run the slow tests too
	$(BIN)/python -m pytest $(PYTEST) -m 'slow or not slow'

lint: $(DEVELOPER)  ## check style, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEVELOPER)  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the virtual environment; keep runs and reports
	rm -rf $(VENV)
