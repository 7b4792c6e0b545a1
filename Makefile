# Berth's only door. `make` alone prints the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CACHE := $(or $(BERTH_CACHE),$(HOME)/.cache/berth)
PYTHON ?= python3
ENVIRONMENT := $(shell cat requirements.txt requirements.lock 2>/dev/null | sha256sum | cut -c1-12)
VENV := $(CACHE)/venv-$(ENVIRONMENT)
PY := $(VENV)/bin/python
export PYTHONPATH := shared:.
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help
help: ## Print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/ready: requirements.txt requirements.lock
	@echo "setting up Python packages in $(VENV) (once per version)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 is needed: install python3.11") if sys.version_info[:2] != (3, 11) else None'
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt -c requirements.lock
	@ln -sfn $(VENV) .venv && touch $@

.PHONY: venv
venv: $(VENV)/ready ## Install the pinned Python packages, cached by version
	@ln -sfn $(VENV) .venv

.PHONY: up
up: venv ## Start the local stack; its address book is .local/env
	@$(PY) -m infra.local up

.PHONY: down
down: venv ## Stop the local stack, and nothing else
	@$(PY) -m infra.local down

.PHONY: lock
lock: ## Write requirements.lock anew from what is installed
	@$(VENV)/bin/pip freeze --exclude berth > requirements.lock

.PHONY: protos
protos: venv ## Generate the protobuf messages
	$(PY) -m grpc_tools.protoc -Ishared --python_out=shared --pyi_out=shared shared/berth/protos/*.proto
