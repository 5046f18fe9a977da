# Two commands matter: `make run` and `make test`. Everything they need, they install.
PYTHON ?= python3
PORT ?= 8000
# The folder that keeps everything. Commands find it from the folder above, if its name is .alma.
STATE ?= .alma
VENV := .venv
UV := $(VENV)/bin/uv
READY := $(VENV)/.ready
MODELS := layers/vision/models/.fetched
.DEFAULT_GOAL := help

.PHONY: help setup run test lint conformance clean lock
help:
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: setup  ## Start alma here, with sample documents, on http://127.0.0.1:$(PORT).
	@PORT=$(PORT) $(VENV)/bin/python -m infra.local --state "$(STATE)"

test: setup  ## The whole test suite.
	$(VENV)/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: setup  ## ruff, the import contracts and mypy --strict.
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache --no-logo
	$(VENV)/bin/mypy

setup: $(READY) $(MODELS)  ## The environment in .venv, and the OCR models.

$(UV): requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "alma needs Python 3.11 or newer; name one with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(READY): requirements/dev.txt pyproject.toml | $(UV)
	$(UV) pip install -q --python $(VENV)/bin/python --require-hashes -r requirements/dev.txt
	$(UV) pip install -q --python $(VENV)/bin/python --no-deps --no-build-isolation -e .
	@touch $@

$(MODELS): scripts/fetch_models.py scripts/split_recognizer.py layers/alma/alma/ocr/alphabet.py | $(READY)
	$(VENV)/bin/python -m scripts.fetch_models
	@touch $@

# Packages of the npm registry, in a folder of their own and without their install scripts; Node.js is one of them.
CONFORMANCE := .venv-mcp/.ready
$(CONFORMANCE): requirements/mcp/package.json requirements/mcp/package-lock.json
	@command -v npm > /dev/null || { echo "make conformance needs npm" >&2; exit 1; }
	@mkdir -p .venv-mcp
	cp $^ .venv-mcp
	npm ci --prefix .venv-mcp --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

conformance: setup $(CONFORMANCE)  ## The MCP endpoint against the protocol's own suite and two clients; needs npm.
	$(VENV)/bin/python -m scripts.conformance

clean:  ## Remove what setup, run and build made, the state of `make run` included.
	rm -rf .venv .venv-* .alma .aws-sam layers/vision/models

lock:  ## Resolve what we depend on into requirements/*.txt, with hashes and no address.
	$(UV) pip compile -q pyproject.toml --all-extras --generate-hashes --universal --python-version 3.11 \
	    --custom-compile-command "make lock" -o requirements/dev.txt
	$(UV) pip compile -q requirements/uv.in -c requirements/dev.txt --generate-hashes --universal \
	    --custom-compile-command "make lock" -o requirements/uv.txt
	npm install --prefix requirements/mcp --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts \
	    --no-audit --no-fund --loglevel=error
	@$(MAKE) --no-print-directory lock-cloud

# ---------------------------------------------------------------- the cloud side: build, check, deploy
# Processor of the functions: the template's parameter, and what the wheels in the layers are chosen for.
ARCHITECTURE ?= arm64
SAM := .venv-sam/bin/sam
EMULATOR := .venv-deploy/bin/ministack
HOST_ARCHITECTURE := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
COMPILE := $(UV) pip compile -q --generate-hashes --universal --custom-compile-command "make lock"
export SAM_CLI_TELEMETRY := 0

$(SAM): requirements/sam.txt | $(UV)
	$(UV) venv -q --clear --python $(VENV)/bin/python .venv-sam
	$(UV) pip install -q --python .venv-sam --require-hashes -r requirements/sam.txt
	@touch $@

# Functions run in the emulator's interpreter, so it has to be the template's.
$(EMULATOR): requirements/deploy.txt | $(UV)
	@for python in python3.13 $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.13.*/bin/python3.13; do \
	    $$python -c '' 2> /dev/null && exec $(UV) venv -q --clear --python $$python .venv-deploy; \
	done; echo "make test-deploy needs python3.13, on PATH or from pyenv" >&2; exit 1
	$(UV) pip install -q --python .venv-deploy --require-hashes -r requirements/deploy.txt
	@touch $@

.PHONY: build sizes validate deploy test-deploy lock-cloud
build: setup $(SAM)  ## sam build: the functions and the layers, for ARCHITECTURE (arm64 or x86_64).
	@find functions -depth -name __pycache__ -type d -exec rm -r {} +
	ARCHITECTURE=$(ARCHITECTURE) UV=$(abspath $(UV)) $(SAM) build --parameter-overrides Architecture=$(ARCHITECTURE)

sizes: build  ## Unzipped size of every function with its layers; fails where one is too large.
	$(VENV)/bin/python scripts/check_sizes.py

validate: setup $(SAM)  ## cfn-lint and sam validate --lint.
	$(VENV)/bin/cfn-lint template.yaml
	AWS_DEFAULT_REGION=eu-west-1 $(SAM) validate --lint

deploy: sizes  ## Build and deploy into your AWS account; asks before it changes anything.
	$(SAM) deploy --guided --parameter-overrides Architecture=$(ARCHITECTURE)

test-deploy: ARCHITECTURE := $(HOST_ARCHITECTURE)
test-deploy: $(EMULATOR) build  ## A real `sam deploy` into an emulator, and files through the deployed stack.
	$(VENV)/bin/pytest -vv tests/deploy

# The layers' versions are those of requirements/dev.txt: what is tested is what is shipped. Left out is what
# the Lambda runtime brings (botocore and its dependencies) and what nothing of ours imports.
lock-cloud:
	$(COMPILE) requirements/sam.in --python-version 3.11 -o requirements/sam.txt
	$(COMPILE) requirements/deploy.in --python-version 3.13 -o requirements/deploy.txt
	$(COMPILE) layers/alma/requirements.in --python-version 3.13 -c requirements/dev.txt -o layers/alma/requirements.txt \
	    $(addprefix --no-emit-package ,botocore python-dateutil six urllib3)
	$(COMPILE) layers/vision/requirements.in --python-version 3.13 -c requirements/dev.txt -o layers/vision/requirements.txt \
	    $(addprefix --no-emit-package ,flatbuffers packaging protobuf pycparser)
	$(COMPILE) layers/training/requirements.in --python-version 3.13 -c requirements/dev.txt -o layers/training/requirements.txt \
	    $(addprefix --no-emit-package ,numpy typing-extensions)
