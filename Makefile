# kindex: `make nightly` sets everything up and runs the night; `make test` runs the fast tests. `make help` lists the rest.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
export OMP_WAIT_POLICY := passive

.DEFAULT_GOAL := help
.PHONY: help setup nightly test test-slow test-long reliability check ui schedule constraints clean

help:           ## this list
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: $(READY) ## make the virtual environment, install the pinned dependencies, prepare the local stores

# One make at a time installs; the others wait and find it done. The key is what was installed, not when.
$(READY): pyproject.toml constraints.txt
	@flock .make-setup.lock sh infra/setup.sh $(PYTHON) $(VENV)

nightly: setup  ## run the nightly flow: ARGS='--help' shows what it takes
	@$(BIN)/python -m flows.nightly $(ARGS)

test: setup     ## the fast tests
	@OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m "not slow" $(ARGS)  # two workers, a core each

test-slow: setup ## servers, whole nights, kills, a real browser
	@$(BIN)/pytest -n 2 --dist loadfile -m "slow and not long" $(ARGS)

test-long: setup ## several PostgreSQL servers, S3, whole nights under faults: what others try in a smaller way
	@$(BIN)/pytest -n 2 --dist loadfile -m long $(ARGS)

reliability: setup ## every promise in its long form, into docs/reliability.md (hours; ARGS='1 8' tries two of them)
	@$(BIN)/python -m tests.reliability $(ARGS)

check: setup    ## lint, types and the import contract
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

ui: setup       ## Prefect's and MLflow's pages on loopback, until Ctrl-C
	@$(BIN)/python -m tasks.ui

schedule: setup ## deploy the nightly flow and run a worker for it (beside `make ui`)
	@$(BIN)/python -m tasks.schedule

constraints: setup ## write constraints.txt and infra/hashes.txt from what is installed
	@$(BIN)/python infra/pin.py > .constraints.new && mv .constraints.new constraints.txt
	@$(BIN)/python infra/hashes.py > .hashes.new && mv .hashes.new infra/hashes.txt

clean:          ## remove stage outputs and tool caches; releases, DVC's cache, MLflow and the outbox stay
	rm -rf data .pytest_cache .mypy_cache .ruff_cache .hypothesis
