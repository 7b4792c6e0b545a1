# Berth's only door. `make` alone prints the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CACHE := $(or $(BERTH_CACHE),$(HOME)/.cache/berth)
PYTHON ?= python3
ENVIRONMENT := $(shell cat requirements.txt requirements.lock | sed 's/[[:space:]]*\#.*//' | sha256sum | cut -c1-12)
VENV := $(CACHE)/venv-$(ENVIRONMENT)
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest -q --durations=5
export PYTHONPATH := shared:.
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help
help: ## Print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The folder's name is the digest of what is in it: nothing is installed again that did not change.
$(VENV)/ready:
	@echo "setting up Python packages in $(VENV) (once per version)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 is needed: install python3.11") if sys.version_info[:2] != (3, 11) else None'
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@set -o pipefail; $(VENV)/bin/pip install --disable-pip-version-check --progress-bar off \
	  -r requirements.txt -c requirements.lock \
	  | grep --line-buffered -oE '^(Collecting [^ ]+|Installing collected packages|Successfully installed)'
	@ln -sfn $(VENV) .venv && touch $@

.PHONY: venv
venv: $(VENV)/ready ## Install the pinned Python packages, cached by version
	@ln -sfn $(VENV) .venv

.PHONY: demo
demo: venv ## The main job, end to end, told with times (KEEP=1 leaves the stack up)
	@$(PY) -m infra.demo

.PHONY: test
test: check unit contract integration e2e ## Everything that must hold: static checks and all tests

.PHONY: check
check: venv ## Static checks: ruff, mypy, import-linter, the house rules
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo

.PHONY: unit
unit: venv ## Unit tests: no sockets, seconds
	$(PYTEST) tests/unit

.PHONY: golden
golden: venv ## Write the golden files of the unit tests anew; review the difference
	$(PYTEST) -n 2 tests/unit/berth/domain/test_workload.py --golden

# These wait more than they compute. A file stays in one process, and so each emulator has but one user.
.PHONY: contract
contract: venv tools ## Each port's one suite, against its twin and the real thing
	$(PYTEST) -n 4 --dist loadfile tests/contract

.PHONY: integration
integration: venv tools ## Bundles, the relay, the node agent, whole stories over the twins
	$(PYTEST) tests/integration

.PHONY: e2e
e2e: venv tools ## The whole of Berth on a local stack of its own
	$(PYTEST) tests/e2e

.PHONY: bench
bench: venv tools ## Time to served, bursts, idle passes, imports: docs/bench.md and docs/bench.json
	$(PY) -m tests.bench

.PHONY: tools
tools: venv ## Build and check what the local stack needs, cached by version
	@$(PY) -m infra.local.setup

.PHONY: up
up: venv ## Start the local stack; its address book is .local/env
	@$(PY) -m infra.local up

.PHONY: down
down: venv ## Stop the local stack, and nothing else
	@$(PY) -m infra.local down

.PHONY: lock
lock: ## Write requirements.lock anew from what is installed
	@$(VENV)/bin/pip freeze --exclude berth > requirements.lock

.PHONY: diagrams
diagrams: venv ## Render docs/diagrams/*.dot to SVG
	@$(PY) -m infra.diagrams

.PHONY: protos
protos: venv ## Generate the protobuf messages
	$(PY) -m grpc_tools.protoc -Ishared --python_out=shared --pyi_out=shared shared/berth/protos/*.proto
