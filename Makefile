# Two commands for a newcomer: `make demo` and `make test`. Both make a virtual environment where there is none.
# VENV=DIR chooses the environment, PYTHON=PROGRAM what it is made with, PYTEST_ARGS='...' goes to pytest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1 && echo "$$p" && break; done)
PYTEST_ARGS ?=
TEST_EXTRAS := peers,plot,test,torch

demo: VENV ?= .venv
test check format site dist: VENV ?= .venv-test

.PHONY: help demo test check format site dist

help:
	@echo 'make demo     install into .venv and track an embedded clip'
	@echo 'make test     install into .venv-test and run the tests, in a random order'
	@echo 'make check    ruff, mypy and import-linter, in .venv-test'
	@echo 'make format   ruff format and the fixes it knows, in .venv-test'
	@echo 'make site     the pages and the API reference, in site/; a warning is an error'
	@echo 'make dist     the sdist and the wheel, in dist/, checked as before an upload'

# OpenCV's packages overwrite one another: the demo leaves one that is there already as it is.
demo:
	@$(call make_venv)
	@extras=cv2,plot; if "$(VENV)/bin/python" -c 'import cv2' > /dev/null 2>&1; then extras=plot; fi; \
		$(call install,$$extras)
	"$(VENV)/bin/slimtrack" demo

# Two processes of one thread each: BLAS threads of several processes on few cores wait for one another.
test:
	@$(call make_venv)
	@$(call install,$(TEST_EXTRAS))
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$(VENV)/bin/python" -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

check:
	@$(call make_venv)
	@$(call install,$(TEST_EXTRAS))
	"$(VENV)/bin/ruff" check
	"$(VENV)/bin/ruff" format --check
	"$(VENV)/bin/mypy"
	"$(VENV)/bin/lint-imports"

format:
	"$(VENV)/bin/ruff" check --fix
	"$(VENV)/bin/ruff" format

site:
	@$(call make_venv)
	@$(call install,docs)
	NO_MKDOCS_2_WARNING=1 "$(VENV)/bin/python" -m mkdocs build --strict

SCHEMA = "$(VENV)/bin/check-jsonschema" --builtin-schema

dist:
	@$(call make_venv)
	@$(call install,dist)
	rm -rf dist
	"$(VENV)/bin/python" -m build --outdir dist
	"$(VENV)/bin/python" -m twine check --strict dist/*
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/tracker.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.citation-file-format --force-filetype yaml CITATION.cff

define make_venv
	if [ ! -x "$(VENV)/bin/python" ]; then \
		if [ -z "$(PYTHON)" ]; then echo 'Python 3.11 or newer is needed; none was found.' >&2; exit 1; fi; \
		echo "making $(VENV) with $(PYTHON)"; "$(PYTHON)" -m venv "$(VENV)"; \
	fi
endef

define install
	echo "installing slimtrack[$(1)] into $(VENV)"; \
	"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(1)]"
endef
