# Everything that Crossfade needs is kept in .venv; the first target that you call sets it up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)
export SAM_CLI_TELEMETRY := 0
# sam packs functions/ as it is: bytecode in it would be a new version of every function. Installed packages have
# theirs from pip; in a folder of its own (PYTHONPYCACHEPREFIX) Python would not find it, and compile them each time.
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help install demo aws-demo watch-cast screencast sandbox test test-all test-unit faults bench-gate bench-report measure check format images probe-image probe-tag spec-schema lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## set .venv up (every other target does it by itself)

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Crossfade needs Python 3.11 or later; name it: make PYTHON=python3.13 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "Python's venv module is missing. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "$(VENV) cannot be set up; the lines above say why. Remove it if it is no folder of this project." >&2; exit 1; }
	@echo "Installing into $(VENV); this takes a minute or two the first time."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## the whole exercise on this machine: release 0.0.2, roll a bad 0.0.3 back, prove it
	@$(BIN)/python -m demo

aws-demo: $(INSTALLED) ## the same exercise in your AWS account, removed at the end; asks before it costs money
	@$(BIN)/python -m demo aws $(OPTIONS)

watch-cast: $(INSTALLED) ## record `crossfade watch` over a good and a bad release, into docs/watch.cast
	@$(BIN)/python -m demo.recording

screencast: $(VENV)/.browser ## run the demo, keep its records in docs/example, and draw the pictures that README shows
	@$(BIN)/python -m demo.example
	@$(BIN)/python -m demo.screencast

sandbox: $(INSTALLED) ## AWS on this machine, in the foreground, until Ctrl-C
	@$(BIN)/python -m sandbox

# Most tests wait for something, so more processes than cores. The rehearsals, which are collected first, begin first.
SIDE_BY_SIDE := --numprocesses 4 --dist loadscope --no-loadscope-reorder

# The report's page is tested, and filmed, in Debian's chromium, which this installs where it may.
$(VENV)/.browser: $(INSTALLED) tests/browser/requirements.txt tests/browser/install.sh
	@bash tests/browser/install.sh
	@touch $@

test: $(VENV)/.browser ## the tests, those that deploy for real in the sandbox included
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-all: $(VENV)/.browser ## all tests, those that take long included
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m ""

test-unit: $(INSTALLED) ## the tests that need no sandbox
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/unit tests/statemachine

faults: $(INSTALLED) ## simulated deployments with a fault at every point; CASE=<name> runs one of them again
	@$(BIN)/python -m faults $(if $(CASE),--case '$(CASE)')

bench-gate: $(INSTALLED) ## the gate against what others decide by, in two minutes; all of it: make bench-gate FULL=--full
	@PYTHONPATH=functions $(BIN)/python -m benchmarks.gate $(FULL)

bench-report: $(INSTALLED) ## time and memory of a report on 10,000, a million (also with 100,000 failed) and five million requests; ten minutes
	@PYTHONPATH=functions $(BIN)/python -m benchmarks.report

measure: $(INSTALLED) ## how much code there is to read: sizes, names, shapes, complexity
	@PYTHONPATH=functions $(BIN)/python -m benchmarks.code

check: $(INSTALLED) ## format, lint, types, templates
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict functions probe cli
	@$(BIN)/mypy sandbox sample_app demo benchmarks faults
	@$(BIN)/cfn-lint template.yaml sample_app/template.yaml docs/examples/service.cloudformation.yaml docs/examples/pipeline.cloudformation.yaml
	@AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint

format: $(INSTALLED) ## put the code into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

probe-tag: $(INSTALLED) ## after a change of probe/: write its tag, a digest of its content, into template.yaml
	@$(BIN)/python -m demo.probe_tag

spec-schema: $(INSTALLED) ## after a change of the spec or of docs/configuration.md: write docs/spec.schema.json, by which editors check specs
	@PYTHONPATH=functions $(BIN)/python -m demo.spec_schema

VERSION ?= 0.0.1
images: $(INSTALLED) ## build and push the probe and the sample app (Docker and AWS needed): make images VERSION=0.0.2
	@VERSION=$(VERSION) bash images.sh

probe-image: $(INSTALLED) ## build and push the probe alone, before `sam deploy` of a newer Crossfade
	@VERSION= bash images.sh

lock: $(INSTALLED) ## install requirements.in anew and write what came of it to requirements.txt
	@$(BIN)/python -m pip install --quiet --upgrade --requirement requirements.in
	@$(BIN)/python -m pip freeze --exclude-editable | LC_ALL=C sort -f > requirements.txt

clean: ## remove what was installed and what runs have left
	rm -rf $(VENV) .sandbox .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis
