# Everything a fresh Debian or Ubuntu machine needs, and the commands of daily work; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
DUBFLOW := $(VENV)/bin/dubflow
UV := $(shell command -v uv || echo .uv/bin/uv)

RUN_PACKAGES := apertium apertium-eng-spa apertium-eng-cat apertium-en-gl
TEST_PACKAGES := $(RUN_PACKAGES) postgresql chromium
BENCH_PACKAGES := $(TEST_PACKAGES) ffmpeg
# Every Ray worker is a new interpreter: without compiled modules each would spend seconds on compiling them again.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE
ifeq ($(shell command -v uv),)
  # Debian keeps the module that makes virtual environments in a package of its own.
  UV_PACKAGES := $(shell python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv)
endif

# Installs what is missing of the named Debian packages, or says exactly what to run.
define debian_packages
	@missing=$$(for package in $(1); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'install ok installed' || echo $$package; \
	  done | xargs); \
	if [ -n "$$missing" ]; then \
	  if ! command -v apt-get >/dev/null; then \
	    echo "this machine has no apt-get; install with its own package manager: $$missing" >&2; exit 3; \
	  elif [ "$$(id -u)" = 0 ]; then \
	    run=""; \
	  elif sudo -n true 2>/dev/null; then \
	    run="sudo"; \
	  else \
	    echo "these packages are missing; run: sudo apt-get install --yes $$missing" >&2; exit 3; \
	  fi; \
	  $$run apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive $$run apt-get install --yes -qq --no-install-recommends $$missing >/dev/null; \
	fi
endef

.PHONY: help demo test test-models lint format bench setup clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: $(VENV)/.base run-packages ## What running needs: the environment and Apertium's language pairs

demo: setup ## Dub samples/*.mp4 to Spanish with the embedded engines, into out/
	$(DUBFLOW) dub samples/*.mp4 --to es --profile lite -o out -y

test: $(VENV)/.dev test-packages ## The tests, except those that need the full model stack
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not models' $(PYTEST_OPTIONS)

test-models: $(VENV)/.models test-packages ## The engines on small checkpoints that the tests train, with the full model stack (9 GB)
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m models $(PYTEST_OPTIONS)

lint: $(VENV)/.dev ## Style, types and formatting
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/.dev ## Bring all files into shape
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(VENV)/.models bench-packages ## All benchmarks, with the full model stack; each prints one table and writes JSON to benchmarks/results/
	@for name in $$(grep -l __main__ benchmarks/*.py | xargs -n1 basename -s .py); do \
	  $(PYTHON) -m benchmarks.$$name --json benchmarks/results/$$name.json; done

clean: ## Remove environments and results of demo
	rm -rf $(VENV) .uv out

.PHONY: run-packages test-packages bench-packages
run-packages:
	$(call debian_packages,$(RUN_PACKAGES))
test-packages:
	$(call debian_packages,$(TEST_PACKAGES))
bench-packages:
	$(call debian_packages,$(BENCH_PACKAGES))

.uv/bin/uv:
	$(call debian_packages,$(UV_PACKAGES))
	python3 -m venv .uv
	.uv/bin/pip install --quiet uv

$(VENV)/.base: pyproject.toml uv.lock | $(filter .uv/%,$(UV))
	$(UV) sync --quiet --locked --inexact
	@touch $@

$(VENV)/.dev: pyproject.toml uv.lock | $(filter .uv/%,$(UV))
	$(UV) sync --quiet --locked --inexact --extra dev
	@touch $@ $(VENV)/.base

$(VENV)/.models: pyproject.toml uv.lock | $(filter .uv/%,$(UV))
	UV_COMPILE_BYTECODE=0 $(UV) sync --quiet --locked --inexact --extra dev --extra cpu --extra gpu --extra test-models
	@touch $@ $(VENV)/.dev $(VENV)/.base
