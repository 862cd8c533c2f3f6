# Every target prepares what it needs: the Python environment first, then the tools.
# Variables: STACK for up, preview, destroy, down and status, NODE for up, preview, doctor and toolchain, COUNT and
# POOL for claim, VERSION and FROM for release, ARGS for anything that `python -m local COMMAND --help` lists.

# Compiled Python is kept where the tools are: the checkout stays as it is, and every command starts half a second sooner.
export PYTHONPYCACHEPREFIX := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/agent-sandbox-pulumi/bytecode
export PYTHONDONTWRITEBYTECODE :=
MAKEFLAGS += --no-print-directory

python = "$$(python3 local/bootstrap.py)"
stack = $(if $(STACK),--stack $(STACK))
node = $(if $(NODE),--node $(NODE))
local = @python=$(python) && exec "$$python" -m local

.DEFAULT_GOAL := help
.PHONY: help check up preview down destroy status claim hello logs kubeconfig env doctor toolchain release test lint docs bench bench-gvisor lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## bring the local stack up on the embedded control plane (NODE=gvisor: on a real node)
	$(local) up $(stack) $(node) $(ARGS)

preview: ## show what `make up` would change
	$(local) preview $(stack) $(node) $(ARGS)

down: ## end and delete everything that `make up` made
	$(local) down $(stack) $(ARGS)

destroy: ## delete the stack's resources, keep the control plane
	$(local) destroy $(stack) $(ARGS)

status: ## is the platform well? exits 1 if not (STACK=existing)
	$(local) status $(stack) $(ARGS)

claim: ## take a sandbox out of the warm pool (COUNT=20, POOL=python)
	$(local) claim $(if $(COUNT),--count $(COUNT)) $(if $(POOL),--pool $(POOL)) $(ARGS)

hello: ## run a command in a sandbox on a real node, and ask how isolated it is
	$(local) hello

logs: ## print the logs of everything that runs (ARGS=--follow)
	$(local) logs $(ARGS)

kubeconfig: ## print the kubeconfig's path
	$(local) kubeconfig

env: ## print the environment of this stack's pulumi and kubectl, for eval
	$(local) env

doctor: ## list every tool: version, origin, path (NODE=gvisor: with a real node's)
	$(local) doctor $(node) $(ARGS)

toolchain: ## get every tool that is missing (NODE=gvisor: and a real node's, and its images)
	$(local) toolchain $(node)

release: ## show what an upstream release would change, and pin it (VERSION=v1.0.2, FROM=folder or mirror)
	$(local) release $(VERSION) $(if $(FROM),--from $(FROM)) $(ARGS)

test: ## run every test
	@python=$(python) && "$$python" -m local toolchain && exec "$$python" -m pytest $(ARGS)

check: ## preview every stack offline under the policies, as a pull request does (ARGS="--stack local")
	@python=$(python) && exec "$$python" -m local.check $(ARGS)

lint: ## ruff and mypy
	@python=$(python) && "$$python" -m ruff format --check . && "$$python" -m ruff check . && exec "$$python" -m mypy

docs: ## generate again what documentation is generated
	@python=$(python) && exec "$$python" -m docs

bench: ## measure the local platform on an idle machine
	@python=$(python) && exec "$$python" -m benchmarks.platform

bench-gvisor: ## measure a real node on an idle machine, and draw docs/gvisor-claims.svg
	@python=$(python) && exec "$$python" -m benchmarks.gvisor $(ARGS)

lock: ## compile requirements.txt from requirements.in
	@python=$(python) && "$$(dirname "$$python")/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" requirements.in --output-file requirements.txt
