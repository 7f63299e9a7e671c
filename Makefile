.DEFAULT_GOAL := help
.PHONY: help run test check bench fuzz lock format lint types contracts migrations

# Any Python from 3.11 on; everything else comes with `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
SETUP := $(PYTHON) diamondpay/run/bootstrap.py
# Tools that read the settings need an environment that asks for no database.
READ_ONLY := env DIAMONDPAY_ENV=test
TEST_PROCESSES ?= 2
PYTEST_ARGS ?=
BENCH_ARGS ?=
FUZZ_ARGS ?=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Run everything on this machine: database, web, worker, beat, sandbox, demo data
	@$(SETUP) && exec $(BIN)/python -m diamondpay.run

test: ## Run the whole test suite (PYTEST_ARGS="-k callback -x" narrows it)
	@$(SETUP) --dev && $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS)

check: format lint types contracts migrations test ## Run every gate, fast to slow

format: ## Check the formatting (make format FIX=1 mends it)
	@$(SETUP) --dev && $(BIN)/ruff format $(if $(FIX),,--check) .

lint: ## Check the style of the code (make lint FIX=1 mends what can be mended)
	@$(SETUP) --dev && $(BIN)/ruff check $(if $(FIX),--fix) .

types: ## Check the types, strictly
	@$(SETUP) --dev && $(READ_ONLY) $(BIN)/python -m mypy .

contracts: ## Check that imports go downhill only
	@$(SETUP) --dev && $(READ_ONLY) $(BIN)/lint-imports --no-cache

migrations: ## Check that every change of a model has its migration
	@$(SETUP) --dev && $(READ_ONLY) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

bench: ## Measure; never part of the tests (BENCH_ARGS narrows it)
	@$(SETUP) --dev && $(BIN)/python -m benchmarks $(BENCH_ARGS)

fuzz: ## Send more than 20,000 hostile calls to every API, some half an hour (FUZZ_ARGS="--fuzz-seed 7" makes others)
	@$(SETUP) --dev && $(BIN)/python -m pytest tests/fuzz -p no:randomly --fuzz-examples 1300 --fuzz-sequences 100 \
		--fuzz-cases-min 20000 $(FUZZ_ARGS)

lock: ## Renew the requirement files from their .in files (make lock UPGRADE=1 takes the newest)
	@$(SETUP) --dev
	@for name in requirements-uv requirements requirements-dev; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade) $$name.in -o $$name.txt || exit 1; \
	done
