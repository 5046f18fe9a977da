# How the layers are built, by `sam build` (BuildMethod: makefile) through the root Makefile's `build`.
# Wheels are chosen for the architecture of the functions, not of the machine that builds.
ARCHITECTURE ?= arm64
UV ?= uv
PLATFORM := $(if $(filter arm64,$(ARCHITECTURE)),aarch64,x86_64)-manylinux_2_34
PACKAGES = $(ARTIFACTS_DIR)/python

ifeq ($(filter arm64 x86_64,$(ARCHITECTURE)),)
$(error ARCHITECTURE is arm64 or x86_64, not "$(ARCHITECTURE)")
endif

# --no-deps: requirements.txt is complete but for what the Lambda runtime brings or nothing imports.
define install
	@$(UV) --version > /dev/null || { echo "uv is needed to build the layers: run 'make build'" >&2; exit 1; }
	@$(UV) pip install --quiet --no-deps --require-hashes --only-binary :all: --link-mode copy \
	    --python-platform $(PLATFORM) --python-version 3.13 --target $(PACKAGES) -r requirements.txt
	@find $(PACKAGES) -depth \( -name tests -o -name __pycache__ \) -type d -exec rm -r {} +
	@find $(PACKAGES) \( -name '*.pyi' -o -name '*.a' -o -name '*.h' -o -name '*.lock' \) -delete
	@rm -rf $(PACKAGES)/bin $(PACKAGES)/.lock
endef
