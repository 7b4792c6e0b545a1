# Berth's only door. `make` alone prints the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CACHE := $(or $(BERTH_CACHE),$(HOME)/.cache/berth)
PYTHON := $(or $(PYTHON),$(shell for python in python3 python3.11; do \
  $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $$python && break; done))
VENV := $(CACHE)/venv-$(shell sha256sum requirements.lock | cut -c1-12)
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest -q --durations=5
export PYTHONPATH := shared:.
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help
help: ## Print the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: venv
venv: ## Install the locked Python packages, cached by the lock's digest
	$(if $(PYTHON),,$(error Python 3.11 is needed: install python3.11, or name it: make PYTHON=...))
	@$(PYTHON) -m infra.dependencies.environment venv requirements.lock --compiled --link .venv >/dev/null

.PHONY: demo
demo: venv ## The main job, end to end, told with times (KEEP=1 leaves the stack up)
	@$(PY) -m infra.demo

.PHONY: test
test: check unit contract integration cloud e2e ## Everything that must hold: static checks and all tests

.PHONY: check
check: venv ## Static checks: ruff, mypy, import-linter, the house rules
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo

.PHONY: policies
policies: venv ## checkov over the plans, the manifests and the image; a test of make cloud
	@$(PY) -m infra.policies

.PHONY: unit
unit: venv ## Unit tests: no sockets, seconds
	$(PYTEST) -n 2 tests/unit

.PHONY: golden
golden: venv tools ## Write the golden files of the tests anew; review the difference
	$(PYTEST) -n 2 tests/unit/berth/domain/test_workload.py tests/unit/berth/app/test_foretelling.py --golden
	$(PYTEST) -n 2 --dist loadfile tests/contract/test_manifests.py tests/contract/test_rbac.py -k golden --golden

# These wait more than they compute. A file stays in one process, and so each emulator has but one user.
.PHONY: contract
contract: venv tools ## Each port's one suite, against its twin and the real thing; a bounded round of fuzzing
	$(PYTEST) -n 4 --dist loadfile tests/contract tests/fuzz

.PHONY: fuzz
fuzz: venv ## Fuzz every parser of untrusted bytes, and count: [SECONDS=600] in all
	@$(PY) -m tests.fuzz --seconds $(or $(SECONDS),600) --write

.PHONY: mutants
mutants: venv ## Mutation testing, resumed where it stopped: [ONLY="domain/lease edge"] [SECONDS=600] a module
	@$(PY) -m infra.mutants $(ONLY) --seconds $(or $(SECONDS),600)

.PHONY: integration
integration: venv tools ## Bundles, the relay, the node agent, whole stories over the twins
	$(PYTEST) -n 2 --dist loadfile tests/integration $(addprefix --ignore=,$(CLOUD))

# Terraform, the deployment, the policies: what a change of infra/ or k8s/ can break.
CLOUD := tests/integration/cloud tests/integration/deploy tests/integration/test_policies.py
.PHONY: cloud
cloud: venv tools ## Plans, applies, deploys and destroys with real OpenTofu, without an account
	$(PYTEST) -n 2 --dist loadfile $(CLOUD)

.PHONY: e2e
e2e: venv tools ## The whole of Berth on a local stack of its own
	$(PYTEST) tests/e2e
	$(PYTEST) tests/chaos

.PHONY: chaos
chaos: venv tools ## Kill everything at random under load: [ROUNDS=5] [SEED=1] [SECONDS=60]; docs/reliability.md
	@$(PY) -m tests.chaos --rounds $(or $(ROUNDS),5) --seed $(or $(SEED),1) --seconds $(or $(SECONDS),60) --write

.PHONY: reliability
reliability: venv ## Every crash at every port call, and many orders: docs/reliability.md
	$(PY) -m tests.reliability --write
	$(PY) -m tests.reliability.starts --write
	$(PY) -m tests.reliability.poison --write

.PHONY: bench
bench: venv tools ## Time to served, bursts, idle passes, imports: docs/bench.md and docs/bench.json
	$(PY) -m tests.bench

.PHONY: simulate
simulate: venv ## Large fleets, simulated: docs/performance.md and its plots [ONLY="placement tick stack burst loop 10 100"]
	$(PY) -m tests.simulation $(ONLY)

.PHONY: inventory
inventory: venv ## Write docs/inventory.md anew; review the difference
	@$(PY) -m infra.inventory

.PHONY: tools
tools: venv ## Build and check what the local stack and the tests need, cached by version
	@$(PY) -m infra.local.setup
	@$(PY) -m infra.offline

.PHONY: up
up: venv ## Start the local stack; its address book is .local/env
	@$(PY) -m infra.local up

.PHONY: down
down: venv ## Stop the local stack, and nothing else
	@$(PY) -m infra.local down

# ENV is dev or prod; PROJECT is gcloud's configured project unless given (docs/operations.md).
DEPLOYMENT = --env $(or $(ENV),$(error ENV=dev or ENV=prod is needed)) $(if $(PROJECT),--project $(PROJECT))

.PHONY: plan
plan: venv ## What a deploy would change: ENV=dev|prod [PROJECT=...]; changes nothing
	@$(PY) -m infra.deploy plan $(DEPLOYMENT)

.PHONY: deploy
deploy: venv ## Put Berth on Google Cloud, or bring it up to date: ENV=dev|prod [PROJECT=...]
	@$(PY) -m infra.deploy deploy $(DEPLOYMENT)

.PHONY: destroy
destroy: venv ## Take it away, all but its data: ENV=dev|prod [PROJECT=...] [YES=1]
	@$(PY) -m infra.deploy destroy $(DEPLOYMENT) $(if $(YES),--yes)

.PHONY: smoke
smoke: venv ## What only the cloud can prove, proved there: ENV=dev|prod [PROJECT=...] [ONLY=<id>]
	@$(PY) -m infra.deploy smoke $(DEPLOYMENT) $(if $(ONLY),--only $(ONLY))

.PHONY: lock
lock: ## Write all locks anew from their requirements; UPGRADE=1 takes newer versions
	@$(PYTHON) -m infra.dependencies.locks $(if $(UPGRADE),--upgrade)

.PHONY: licences
licences: venv ## Write docs/licences.md anew: every package, its licence, who ships it
	@$(PY) -m infra.dependencies.licences

.PHONY: sbom
sbom: venv ## Write a bill of materials (CycloneDX) for each function into build/sbom
	@$(PY) -m infra.dependencies.sbom

.PHONY: audit
audit: venv ## Known vulnerabilities of all that is locked ("Error 3": nobody could be asked)
	@$(PY) -m infra.dependencies.audit

.PHONY: diagrams
diagrams: venv ## Render docs/diagrams/*.dot to SVG
	@$(PY) -m infra.diagrams

.PHONY: protos
protos: venv ## Generate the protobuf messages
	$(PY) -m grpc_tools.protoc -Ishared --python_out=shared --pyi_out=shared shared/berth/protos/*.proto
