# Everything a person or a machine does with this repository. Needs only make and Python 3.10 or
# newer; what else a target wants it installs into .venv.

SHELL := /bin/sh
VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)
BIN := $(VENV)/bin
PY := $(BIN)/python
# In CI a leaf that does not compile is an error.
REQUIRED := POCKETMQ_REQUIRE_SPEEDUPS=$(if $(CI),1)
PYTEST ?= $(PY) -m pytest
PIP := $(PY) -m pip install --disable-pip-version-check --quiet
METADATA := pyproject.toml setup.py
LEAVES := $(wildcard src/pocketmq/_speedups/*.pyx src/pocketmq/_speedups/*.pxd)
ARGS ?=
# Tests run on every core; say JOBS=0 for one process.
JOBS ?= auto
# Interop tests mostly wait, so their lanes are more than the cores.
LANES ?= 3

.DEFAULT_GOAL := help
.PHONY: help up setup build test check format-check lint types layers tidy docs-check test-builds \
	format peers interop browser wheel bench fuzz cover docs dist clean

help: ## list these commands
	@echo "PocketMQ. Start it with 'make up'; the commands are"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(VENV)/.server ## start a name server, a broker and the console (ARGS="--data DIR" passes flags)
	@$(PY) scripts/console_parts.py || true
	@$(BIN)/pocketmq up $(ARGS)

test: $(VENV)/.built ## run the tests
	$(PYTEST) -n $(JOBS) $(ARGS)

check: format-check lint types layers docs-check test-builds ## all that CI asks: style, types, layers, tests of both builds
	@echo "check: all good"

setup: $(VENV)/.dev ## install everything a developer needs into .venv

build: $(VENV)/.test ## compile the leaves in place (without a C compiler plain Python runs)
	$(PY) setup.py --quiet build_ext --inplace
	@$(PY) -c "from pocketmq import _speedups as s; print('compiled leaves:', ', '.join(s.built()) or 'none')"
	@touch $(VENV)/.built

format: $(VENV)/.dev ## format the code and fix what lint can fix
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .

peers: $(VENV)/.built ## fetch and build the official clients and servers that interop needs
	$(PY) -m tests.support.clients.all

interop: $(VENV)/.built ## test with the official clients and with Apache RocketMQ (Java, Go, Node, C++)
	@$(PYTEST) -m interop tests/compat -n $(LANES) --dist loadscope $(ARGS); status=$$?; \
		$(PY) scripts/compatibility.py || exit 1; exit $$status

browser: $(VENV)/.dev $(VENV)/.built ## use the web console in headless Chromium; pictures land in build/pictures
	$(PY) scripts/console_parts.py
	$(PYTEST) -m browser tests/browser $(ARGS)

wheel: $(VENV)/.dev $(VENV)/.built ## build the wheel, install it in an empty environment and use it there
	$(PYTEST) -m wheel tests/wheel $(ARGS)

bench: $(VENV)/.built ## measure against Apache RocketMQ and a C echo server
	$(PY) -m bench $(ARGS)

fuzz: $(VENV)/.built ## feed damaged frames and headers to the parsers (ARGS="--seconds 600")
	$(PY) -m fuzz $(ARGS)

cover: $(VENV)/.dev ## run the tests and show which lines they miss
	POCKETMQ_PURE=1 $(PY) -m coverage run -m pytest $(ARGS)
	$(PY) -m coverage report

docs: $(VENV)/.server ## write docs/reference from the settings, the command line and the SDK
	$(PY) scripts/reference.py
	$(PY) scripts/admin_reference.py
	$(PY) scripts/compatibility.py
	$(PY) scripts/sdk_reference.py
	$(PY) scripts/metrics_reference.py
	$(PY) scripts/console_reference.py

dist: $(VENV)/.dev ## build a source archive and a wheel into dist/
	$(PIP) build
	$(PY) -m build

clean: ## remove what was built, the environment included
	rm -rf $(VENV) build dist src/*.egg-info src/pocketmq/_speedups/*.so .mypy_cache .ruff_cache \
		.pytest_cache .hypothesis .import_linter_cache

format-check: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports --no-logo

tidy: $(VENV)/.dev
	$(PY) -m pytest -q tests/test_tidy.py

docs-check: $(VENV)/.dev
	$(PY) scripts/reference.py --check
	$(PY) scripts/admin_reference.py --check
	$(PY) scripts/sdk_reference.py --check
	$(PY) scripts/metrics_reference.py --check
	$(PY) scripts/console_reference.py --check
	$(PY) scripts/compatibility.py --check

# Both builds and both event loops: compiled on uvloop, and plain Python on asyncio's loop in its debug
# mode; and where compiled code meets a loop, in the network, compiled on asyncio's too. A machine
# without a compiler tests plain Python twice. TESTED=1 leaves out what `make test` has made already:
# the compiled run, and kills a second time.
NETWORK := tests/unit/net tests/cluster/test_broker_*.py tests/cluster/test_plain_sends.py \
	tests/cluster/test_pull_answers.py tests/cluster/test_bad_peers.py tests/cluster/test_sdk_producer.py

test-builds: $(VENV)/.dev $(VENV)/.built
	$(if $(TESTED),,POCKETMQ_TEST_LOOP=uvloop $(PYTEST) -q -n $(JOBS))
	POCKETMQ_TEST_LOOP=asyncio $(PYTEST) -q -n $(JOBS) $(NETWORK)
	POCKETMQ_TEST_LOOP=asyncio PYTHONASYNCIODEBUG=1 POCKETMQ_PURE=1 $(PYTEST) -q -n $(JOBS) $(if $(TESTED),--ignore=tests/crash)

$(PY):
	@test -n "$(PYTHON)" || { echo "PocketMQ needs Python 3.10 to 3.14; install one, or say make PYTHON=/path/to/python"; exit 1; }
	@echo "creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot create environments; install its venv package (Debian: apt install python3-venv)"; exit 1; }

$(VENV)/.server: $(METADATA) $(LEAVES) | $(PY)
	@echo "installing PocketMQ into $(VENV)"
	@$(PIP) -e '.[server]'
	@touch $@

$(VENV)/.test: $(METADATA) | $(PY)
	@echo "installing PocketMQ and its test tools into $(VENV)"
	@$(REQUIRED) $(PIP) -e '.[test]'
	@touch $@ $(VENV)/.built

$(VENV)/.dev: $(METADATA) | $(PY)
	@echo "installing PocketMQ and its development tools into $(VENV)"
	@$(REQUIRED) $(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.test $(VENV)/.built

$(VENV)/.built: $(VENV)/.test $(LEAVES)
	@$(REQUIRED) $(PY) setup.py --quiet build_ext --inplace
	@touch $@
