# Two commands do everything on a fresh machine: `make run` and `make test`.
# ARGS is handed on: make test ARGS="-k action", make run ARGS="--limit 5".
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test check docs results tables rt1 rt2 soak fuzz clean

VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin
# Bytecode is written where a module is first imported: most never are. It would be 160 of 740 MB, and half of the
# processor time of an installation (37 and 19 s).
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt

# The robot's models. A run fetches and drops the wheel by itself; tests are offline and bake more than once.
WHEEL := $(or $(RTBENCH_ROBOSUITE),$(VENV)/robosuite-1.5.2-py3-none-any.whl)

# The first interpreter that starts, has a version we support and can make environments. A name on the
# PATH proves nothing: pyenv leaves python3.12 there also where only another version is active.
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3.14 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	>/dev/null 2>&1 && { echo $$p; break; }; done)

help:
	@echo "make run    set up, and let RT-1 and the oracle play a sample of the suite 'novel'"
	@echo "make test   set up, and run the tests"
	@echo "make check  lint, types, layers, the site and tests"
	@echo "make docs   build the site into build/docs, and check its links"
	@echo "make results  play the reference runs anew, half an hour, and make their tables"
	@echo "make tables   make the tables of the reference runs"
	@echo "make rt1    train RT-1 from nothing into runs/rt1: hours; the same command goes on"
	@echo "make rt2    train RT-2 from RT-1's weights into runs/rt2: hours; the same command goes on"
	@echo "make soak   kill workers and runs at random moments, ten minutes"
	@echo "make fuzz   read damaged files at random, some minutes"
	@echo "make clean  remove the environment and all caches of tools"

# The oracle shows what of the same episodes can be solved.
run: $(VENV)/.installed
	$(BIN)/rtbench run --policy rt1 --suite novel --rounds 1 --video 4 --out runs/first $(ARGS)
	$(BIN)/rtbench run --policy oracle --suite novel --rounds 1 --out runs/first $(ARGS)
	@# RT-2 needs PyTorch, which is larger than all the rest: it plays where the extra rt2 is installed.
	@if $(BIN)/python -c "import torch" 2>/dev/null; \
	then set -x; $(BIN)/rtbench run --policy rt2 --suite emergent --limit 30 --out runs/first $(ARGS); \
	else echo "rt2: left out; $(BIN)/pip install -c constraints.txt '.[rt2]' adds what it needs"; fi
	$(BIN)/rtbench table runs/first --by split

test: $(VENV)/.installed-dev $(WHEEL)
	RTBENCH_ROBOSUITE=$(abspath $(WHEEL)) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# pyright fetches a Node runtime when it first runs: where it cannot, say so and go on.
	@if timeout 120 $(BIN)/pyright --version >/dev/null 2>&1; then $(BIN)/pyright; \
	else echo "pyright: left out, it cannot start here (it needs Node, or network to fetch it)"; fi
	$(MAKE) docs
	$(MAKE) test

# Warnings are errors, and all of them are shown. Other sites' links are not fetched.
docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --fresh-env --quiet docs build/docs
	$(BIN)/python docs/generator/check_links.py build/docs

# Rounds are chosen for some 230 episodes a suite. Played beside the repository's own files, so that the runs
# can say that they come from a commit without changes.
results: $(VENV)/.installed-dev
	rm -rf runs/reference
	for policy in noop random oracle rt1 rt2; do \
	for suite in seen:20 novel:3 emergent:2; do \
	$(BIN)/rtbench run --policy $$policy --suite $${suite%:*} --rounds $${suite#*:} --out runs/reference; \
	done; done
	rm -rf results/reference
	cp -r runs/reference results/reference
	$(MAKE) tables

tables: $(VENV)/.installed
	mkdir -p results/tables
	for table in split.md split.tex skill.md axis.md axis.csv; do \
	$(BIN)/rtbench table results/reference --by $${table%.*} --published --output results/tables/$$table; done

# Parameters are variables such as RT1_ROUNDS=2; rtbench/train/recipe_rt1.py has them all.
rt1: $(VENV)/.installed-dev
	$(BIN)/python -m rtbench.train.recipe_rt1

# Likewise; RT2_ARM=robot RT2_SEED=1 is one arm of the comparison, of rtbench/train/recipe_rt2.py.
rt2: $(VENV)/.installed-dev
	$(BIN)/python -m rtbench.train.recipe_rt2

# What `make test` does for a moment. ARGS="--oracle" does it in the kitchen.
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.stress.kills --workers 100 --runs 50
	$(BIN)/python -m tests.stress.soak $(ARGS)

# What `make test` does with a few.
fuzz: $(VENV)/.installed-dev
	RTBENCH_FUZZ=20 $(BIN)/python -m pytest -n $(WORKERS) tests/integration/test_fuzz.py $(ARGS)

clean:
	rm -rf $(VENV) dist build docs/generated .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.python:
	@if [ -z "$(PYTHON)" ]; then \
	echo "rtbench needs Python 3.11 to 3.14 with venv: apt-get install -y python3 python3-venv, or make PYTHON=/path/to/python3.12" >&2; \
	exit 2; fi
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/robosuite-1.5.2-py3-none-any.whl: | $(VENV)/.python
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --dest $(VENV) robosuite==1.5.2

$(VENV)/.installed: $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing into $(VENV) (a minute or two) ..."
	$(PIP_INSTALL) --editable '.[video]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing into $(VENV) (a minute or two) ..."
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $(VENV)/.installed $@

$(VENV)/.installed-docs: $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing into $(VENV) (a minute or two) ..."
	$(PIP_INSTALL) --editable '.[docs]'
	@touch $@
