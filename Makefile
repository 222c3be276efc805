# SPDX-License-Identifier: GPL-3.0-or-later
# `make demo` shows it on a cluster of its own, `make test` proves it.

PYTHON ?= python3
RUN := .venv/bin/python tests/run

# How often a test repeats what it does; `make test-long` has the full counts.
INTERRUPTS ?= 2
export KILLS ?= 5
export DEVPI_TEST_INTERRUPTS = $(INTERRUPTS)
# Writes that are followed by reads through the front.
export DEVPI_TEST_ROUNDS ?= 50
# The Pythons of the unit tests besides that of all else: 3.12 has the same Ansible as 3.13.
export DEVPI_TEST_PYTHONS ?= 3.13
# The large file that goes in and out through both hosts.
export DEVPI_TEST_LARGE_MIB ?= 128

PARTS := lint yamllint ruff mypy ansible-lint changelog audit unit unit-3.12 unit-3.13 collection docs sanity server front workstation kube-score image default

.PHONY: help venv demo demo-down test test-long role-tables image-options $(PARTS)

help:
	@echo 'make demo                        a local Kubernetes with devpi on it (root)'
	@echo 'make demo KUBECONFIG=/path [INVENTORY=/path]   the same on a cluster that exists'
	@echo 'make demo-down                   take the local one away'
	@echo 'make test                        everything; make test-long with the full counts'
	@echo 'make <part>                      one of: $(PARTS)'

venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) tests/run/environments.py

# Only a KUBECONFIG given to make itself counts: the shell's own may point at a cluster that is no playground.
demo: venv
	@.venv/bin/python molecule/demo.py $(if $(filter command line,$(origin KUBECONFIG)),--kubeconfig '$(KUBECONFIG)') $(if $(INVENTORY),--inventory '$(INVENTORY)')

demo-down:
	@$(PYTHON) molecule/cluster down --name demo

test: venv
	@$(RUN)

test-long: INTERRUPTS = 10
test-long: export DEVPI_TEST_LONG = 1
test-long: export KILLS = 50
test-long: export DEVPI_TEST_ROUNDS = 1000
test-long: export DEVPI_TEST_LARGE_MIB = 900
test-long unit-3.12: export DEVPI_TEST_PYTHONS = 3.12 3.13
test-long: venv
	@$(RUN)

# The tables of variables in the roles' READMEs, from their argument_specs, and in docs/image.md.
role-tables: venv
	@.venv/bin/python tests/run/role_tables.py
	@.venv/bin/python tests/run/image_tables.py

# The table of devpi's options, after another devpi-server in requirements.in.
image-options: venv
	@.venv/bin/python tests/run/image_options.py

$(PARTS): venv
	@$(RUN) $@
