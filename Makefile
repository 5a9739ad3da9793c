# The same few verbs for everybody, at home and in CI. Each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint types bench kafka lock clean
.DEFAULT_GOAL := demo

# The tests start many processes; where the environment forbids bytecode, each would compile all modules anew (seconds).
unexport PYTHONDONTWRITEBYTECODE

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Airshed needs Python 3.11 or newer; call make with PYTHON=python3.x")'
	@test -x $(BIN)/python || { echo "Setting up $(VENV) (about a minute, once) ..."; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(STAMP)  ## a simulated winter episode, from readings to received messages
	@$(BIN)/airshed demo $(ARGS)

JOBS ?= 2
test: $(STAMP)  ## every test; what is missing on this machine is skipped with the reason
	@$(BIN)/python -m pytest --numprocesses=$(JOBS) --dist=worksteal $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)
	@$(BIN)/mypy

BENCH := .venv-bench
$(BENCH)/.installed: requirements.lock pyproject.toml
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	@touch $@

bench: $(BENCH)/.installed  ## measurements against peers; writes bench/RESULTS.md
	@$(BENCH)/bin/python -m bench $(ARGS)

kafka: $(STAMP)  ## a real Apache Kafka on a free port, until Ctrl-C
	@$(BIN)/python -m airshed.kafka.broker $(ARGS)

lock:  ## pin every dependency anew
	@uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-annotate --universal \
		--python-version 3.11 --custom-compile-command "make lock" -o requirements.lock -q

clean:
	@rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis demo out
