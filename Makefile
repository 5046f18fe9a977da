# Two commands matter: `make run` and `make test`. Everything they need, they install.
PYTHON ?= python3
VENV := .venv
UV := $(VENV)/bin/uv

.PHONY: lock
lock:  ## Resolve pyproject.toml into requirements/*.txt, with hashes and no address.
	$(UV) pip compile -q pyproject.toml --all-extras --generate-hashes --universal --python-version 3.11 \
	    --custom-compile-command "make lock" -o requirements/dev.txt
