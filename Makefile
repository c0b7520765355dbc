# Two commands: `make run` and `make test`. Both do all set-up first; a second call starts working at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
# Where it is set, each of pytest's workers rewrites the assertions of every test module, which is most of collecting them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-again cache-tests soak lint docs setup images bench clean
.DEFAULT_GOAL := run

# Variants at a time.
JOBS ?= 3
run: setup
	@$(BIN)/sandbox run --jobs $(JOBS)

# Four at a time on two cores: five leave no core idle for a moment, so they end no sooner, and what waits for AWS's timers
# is late (tests/order.py).
WORKERS ?= 4
# `make test HYPOTHESIS=thorough`: twenty times as many examples of each property as usual.
HYPOTHESIS ?=
test: setup
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(if $(HYPOTHESIS),--hypothesis-profile=$(HYPOTHESIS))

# What failed in `make test`, once more and one after another: real servers on a machine that others keep busy may be late.
# More than MOST are no accident. What fails here, too, fails; what passes has been told of above.
MOST := 3
test-again:
	@$(BIN)/python scripts/failed.py $(MOST)
	@$(BIN)/pytest --last-failed --last-failed-no-failures none -v

# The CDN against the public suite http-tests/cache-tests; `make cache-tests UPDATE=1` writes down what came as expected.
cache-tests: setup
	@$(BIN)/pytest -q -rP tests/conformance/test_cache_tests.py $(if $(UPDATE),--update-expected)

# Runs of scenarios with kills, engine restarts and full disks upon them, on engines of its own; wants root (docs/reliability.md).
RUNS ?= 200
SEED ?= 0
soak: setup
	@$(BIN)/python -m tests.soak --runs $(RUNS) --seed $(SEED)

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documents as a site, in site/; a link that leads nowhere is an error. The theme prints an advertisement at each build.
docs: $(VENV)/.ready
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html; with the search: $(BIN)/python -m http.server --bind 127.0.0.1 --directory site 8000"

# Everything that can be had beforehand: the environment, an engine, the images. Without an engine the rest goes on,
# and what needs one says so itself.
setup: $(VENV)/.ready
	@$(BIN)/python -m sandbox.engine.daemon && $(BIN)/sandbox images build || true

images: setup

# All of them, whatever one of them comes to; those that missed a goal or failed are named at the end.
bench: setup
	@missed=; for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || missed="$$missed $$file"; done; \
	if [ -n "$$missed" ]; then echo "missed a goal, or failed:$$missed"; exit 1; fi

$(VENV)/.ready: requirements.lock pyproject.toml scripts/environment.sh
	@scripts/environment.sh $(PYTHON) $(VENV) $(UV_VERSION)
	@touch $@

clean:
	@if [ -x $(BIN)/sandbox ]; then $(BIN)/sandbox down --all; fi
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
