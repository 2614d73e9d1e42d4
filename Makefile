# The café's commands; `make help` lists them. All that is needed is this and Python 3.11 or later.
# PYTHON=..., VENV=... and ARGS="..." on the command line choose another interpreter, environment or options.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install serve check quick test pictures sweep torture failures coverage mutants test-all image-check bench graph docs lock audit clean

VENV ?= .venv
BIN := $(VENV)/bin
VERSIONS := 3.11 3.12 3.13

# Asked by running it: pyenv's shims are found on PATH also for versions that do not answer.
is_usable = "$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(shell for python in python3 $(VERSIONS:%=python%); do $(is_usable) && echo "$$python" && break; done)

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Make the environment from the hashed lock; skipped when nothing changed

# The stamp is touched last, so that a half-made environment is made again. Modules are compiled when
# they are imported: to compile all of them takes 14 s of a processor.
$(VENV)/installed: requirements.lock pyproject.toml actors/pyproject.toml
	@python="$(PYTHON)"; $(is_usable) || { \
	  echo "make: no usable $${python:-python3}: the café needs Python 3.11 or later with its venv module" \
	    "(on Debian: apt install python3-venv)" >&2; exit 1; }
	@echo "Installing what requirements.lock pins into $(VENV)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable ./actors --editable .
	@touch $@

serve: install ## Serve the shop: customers on port 8080, baristas on 8081
	@exec $(BIN)/cafe serve $(ARGS)

# The two checkers of types take most of it, and one processor each.
check: install ## Lint, format and type checks; the Dockerfile and the compose file too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy & mypy=$$!; $(BIN)/pyright; pyright=$$?; wait $$mypy && exit $$pyright
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

# pytest keeps the tests as it has compiled them: that saves seconds in each worker.
unexport PYTHONDONTWRITEBYTECODE
SCHEDULES ?= 3
WORKERS ?= auto
# A worker that has done its tests takes some of another's: those of system/ wait more than they run.
PARALLEL = -n $(WORKERS) --dist worksteal
QUICK = --quick --schedules=1 --hypothesis-profile=quick -q --durations=5 --durations-min=1
quick: install ## Run the quick half of the tests, in under a minute: while you work (tests/quick.py says which)
	@$(BIN)/pytest $(PARALLEL) $(QUICK) tests/actors tests/cafe docs/examples $(ARGS)

test: install ## Run all tests on every core, the swept ones under 3 schedules (SCHEDULES=20: twenty): about 20 minutes on two
	@$(BIN)/pytest $(PARALLEL) --schedules=$(SCHEDULES) $(ARGS)

pictures: install ## Take the pictures of the pages that README and docs/screens.md show
	@PICTURES=docs/screens $(BIN)/pytest -q tests/screens/test_pictures.py $(ARGS)

sweep: install ## Run what chance decides under 500 schedules, with many examples (hours; ARGS="-k ask": some)
	@$(BIN)/pytest $(PARALLEL) -v -m "schedules or hypothesis" --schedules=500 --hypothesis-profile=many $(ARGS)

torture: install ## Kill the shop at full speed a hundred times (ARGS=10: ten), and see what is left
	@$(BIN)/python -m tests.system.torture $(ARGS)

failures: install ## Let houses, fronts, servers and links fail in a rush a hundred times (ARGS=10: ten)
	@$(BIN)/python -m tests.machines.torture $(ARGS)

CONNECTION = request response exchange connection context socket_stream disconnects deadlines
CONNECTION_FILES = $(shell echo $(CONNECTION:%=cafe/server/%.py) | tr ' ' ',')
coverage: install ## Show that the tests take every branch of the toolkit and of the connection
	@COVERAGE_FILE=$(VENV)/coverage $(BIN)/coverage run --branch --include='actors/*',$(CONNECTION_FILES) \
	  -m pytest -q --schedules=20 --hypothesis-profile=ci tests/actors tests/cafe/server tests/system/test_connections*.py
	@COVERAGE_FILE=$(VENV)/coverage $(BIN)/coverage report --show-missing --fail-under=100

mutants: install ## Change actors/ line by line and list what no test notices (about an hour)
	@$(BIN)/mutmut run $(ARGS)
	@$(BIN)/mutmut results

# DONE=3.11: that one has been tested already. TARGET=install: only makes the environments.
TARGET ?= test
test-all: ## Run the tests on each of Python 3.11, 3.12 and 3.13 that this machine has
	@tested=; missing=; for version in $(VERSIONS); do \
	  if [ "$$version" = "$(DONE)" ]; then tested="$$tested $$version"; continue; fi; \
	  found=; for python in "python$$version" "$$(pyenv prefix $$version 2>/dev/null)/bin/python"; do \
	    $(is_usable) && found="$$python" && break; done; \
	  if [ -z "$$found" ]; then missing="$$missing $$version"; continue; fi; \
	  echo "== Python $$version"; \
	  $(MAKE) --no-print-directory $(TARGET) VENV=.venv-$$version PYTHON="$$found" || exit 1; \
	  tested="$$tested $$version"; \
	done; \
	echo "make $(TARGET): done on Python$${tested:- none}; not on this machine:$${missing:- none}"; test -n "$$tested"

image-check: install ## Build the image and run it and the compose file, held to their promises (minutes)
	@$(BIN)/python -m tests.image.check $(ARGS)
	@$(BIN)/python -m tests.image.compose

bench: install ## Measure against the peers and print one table of ratios (about half an hour)
	@$(BIN)/python -m bench $(ARGS)

graph: install ## Print the rooms, how many imports lead from each to each, and their sizes
	@$(BIN)/python -m docs.graph

docs: install ## Write what is generated in README.md and docs/: tree, settings, diagrams
	@$(BIN)/python -m docs.generate $(ARGS)

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
  --no-emit-package trio-cafe-actors
lock: install ## Make the lock files again, keeping their versions (all the newest: ARGS=--upgrade)
	$(UV_COMPILE) $(ARGS) --group dev -o requirements.lock pyproject.toml
	$(UV_COMPILE) -c requirements.lock -o requirements-image.lock pyproject.toml
	$(UV_COMPILE) -c requirements.lock -o requirements-build.lock --group pyproject.toml:build

audit: install ## Look the pinned packages up among the known vulnerabilities (needs the network)
	$(BIN)/pip-audit --disable-pip --require-hashes --requirement requirements.lock $(ARGS)

clean: ## Remove the environments and every cache
	rm -rf .venv .venv-3.* .mypy_cache .pytest_cache .ruff_cache .hypothesis mutants *.egg-info
	find actors cafe tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
