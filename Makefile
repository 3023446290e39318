# What a person types; `make help` lists it. Needs GNU Make 3.81 (what macOS ships) or newer and a POSIX shell.
#
#   PYTHON       the Python that makes the environment; empty: the first of 3.13, 3.12, 3.11, python3 that works
#   TORCH_INDEX  package index that torch comes from; empty: pip's default, whose Linux build brings gigabytes of CUDA.
#                The CPU build: TORCH_INDEX=https://download.pytorch.org/whl/cpu
#   ARGS         options of `rag-pipeline up`, e.g. make up ARGS="--ports-from 9000"
#   TEST_ARGS    options of pytest, e.g. make test TEST_ARGS="-k chunks -x"
#   VENV         where the environment lives

PYTHON ?=
TORCH_INDEX ?=
TORCH_VERSION = 2.13.0
ARGS =
TEST_ARGS =
VENV = .venv

BIN = $(VENV)/bin
LOG = $(VENV)/install.log
STAMP = $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install up test prove check fix bench clean
# Everything here uses all cores, the same folders or the same ports: `make -j` runs one target after the other.
.NOTPARALLEL:

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make the environment in .venv and install everything into it

up: install ## start everything: embedded servers, Dagster, query API (Ctrl-C stops it)
	@exec $(BIN)/rag-pipeline up $(ARGS)

test: install ## run the test suite on the real embedded servers
	@exec $(BIN)/pytest -m "not prove" -n 2 --dist loadfile $(TEST_ARGS)

prove: install ## run the promises that need thousands of repetitions, with their figures
	@exec $(BIN)/pytest -m prove -s $(TEST_ARGS)

check: install ## lint, format, types, layers, Dagster definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	@# In a home of its own: the project's dagster.yaml asks for a database.
	@home=$$(mktemp -d) && DAGSTER_HOME="$$home" $(BIN)/dagster definitions validate -m rag_pipeline.definitions; \
	  code=$$?; rm -rf "$$home"; exit $$code

fix: install ## repair what ruff can: lint and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## run each benchmark in turn
	@for benchmark in benchmarks/*.py; do \
	  [ -f "$$benchmark" ] || { echo "There is no benchmark in benchmarks/."; exit 0; }; \
	  echo "== $$benchmark"; $(BIN)/python "$$benchmark" || exit 1; \
	done

clean: ## remove caches and build products (never .venv, .data or uploads)
	@rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist rag_pipeline.egg-info
	@for folder in rag_pipeline rag_pipeline_tests benchmarks; do \
	  [ ! -d "$$folder" ] || find "$$folder" -name __pycache__ -type d -prune -exec rm -rf {} +; \
	done

# A second `make up` does nothing here, unless what is asked for has changed.
$(STAMP): pyproject.toml constraints.txt
	@$(make_venv)
	@$(install_torch)
	@echo "Installing the packages of constraints.txt into $(VENV): a few minutes the first time (log: $(LOG))."
	@$(call pip,install -c constraints.txt -c $(VENV)/torch.txt -e ".[dev]")
	@touch $@

# Candidates are run, not just found: a version manager's shim may exist and fail. Debian's python3 comes without
# ensurepip until python3-venv is there. An environment whose Python is gone (moved, upgraded) is made again.
define make_venv
works() { "$$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }; \
if works $(BIN)/python; then exit 0; fi; \
if [ -n "$(PYTHON)" ]; then set -- "$(PYTHON)"; else set -- python3.13 python3.12 python3.11 python3; fi; \
for candidate in "$$@"; do \
  if works "$$candidate"; then \
    echo "Making $(VENV) with $$("$$candidate" -c 'import platform; print("Python", platform.python_version())')."; \
    exec "$$candidate" -m venv --clear $(VENV); \
  fi; \
done; \
echo "No Python 3.11 or newer that can make a virtual environment was found (tried: $$*)." >&2; \
echo "Install one (Debian, Ubuntu: apt install python3 python3-venv) or name it: make install PYTHON=/path/to/python3" >&2; \
exit 1
endef

# Whatever torch is there is kept: the build (CPU, CUDA) is the user's choice. torch.txt then holds pip to it.
# --no-deps: TORCH_INDEX holds torch, not every package it needs; those come with the others, pinned.
define install_torch
version() { $(BIN)/python -c 'import importlib.metadata as m; print(m.version("torch"))' 2>/dev/null; }; \
if ! version >/dev/null; then \
  echo "Installing torch $(TORCH_VERSION) from $(if $(TORCH_INDEX),$(TORCH_INDEX),the default index)."; \
  ( $(call pip,install --no-deps $(if $(TORCH_INDEX),--index-url "$(TORCH_INDEX)") "torch==$(TORCH_VERSION)") ) || exit 1; \
fi; \
echo "torch==$$(version)" > $(VENV)/torch.txt
endef

# pip with its whole output in the log; shown is what takes long. The exit code travels in the last line, because a
# POSIX pipe only knows that of its last part.
define pip
{ PYTHONUNBUFFERED=1 $(BIN)/python -m pip --disable-pip-version-check --no-input $(1) 2>&1; echo "pip-exit $$?"; } | { \
  code=1; : > $(LOG); \
  while IFS= read -r line; do \
    echo "$$line" >> $(LOG); \
    case "$$line" in \
      "pip-exit "*) code=$${line#pip-exit };; \
      *Downloading*" MB)"*|*Downloading*" GB)"*) echo "  $${line#"$${line%%[! ]*}"}";; \
      "Installing collected packages"*) echo "  Unpacking $$(echo "$${line#*:}" | wc -w | tr -d ' ') packages";; \
    esac; \
  done; \
  if [ "$$code" -ne 0 ]; then \
    echo "The installation failed; the last lines of $(LOG) are:" >&2; tail -n 15 $(LOG) >&2; \
  fi; \
  exit "$$code"; }
endef
