# Each target makes .venv when it is missing and installs what it needs, no more.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test matrix costly lint bench recipes docs clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Markers say what is installed, so that a second call installs nothing.
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[export,plot]'
	@touch $@

# torch first and pinned: a bare range would bring a build with several GB of CUDA packages.
$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) torch
	$(PIP) --editable '.[tensorflow,jax,torch,export,train,plot,serve,retrieval,parquet,tensorboard,dev]'
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/python recipes/demo.py

test: $(VENV)/.test lint
	$(BIN)/python tests/all_backends.py

# Every check of every variant on every backend, exports too (writes docs/support_matrix.md).
matrix: $(VENV)/.test
	$(BIN)/python benchmarks/matrix.py

# The tests that `make test` leaves out, but for the contract of variants, which `make matrix` has.
costly: $(VENV)/.test
	$(BIN)/python tests/all_backends.py --costly --ignore=tests/layers/test_conformance.py

# The pages and tables that are made from data.
docs: $(VENV)/.test
	$(BIN)/python benchmarks/pages.py
	$(BIN)/python benchmarks/tables.py

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.test
	for backend in tensorflow jax torch; do KERAS_BACKEND=$$backend $(BIN)/python benchmarks/layers.py || exit 1; done

recipes: $(VENV)/.test
	$(BIN)/python recipes/text_classifier.py --small

clean:
	rm -rf $(VENV) build dist *.egg-info runs demo_output .jax_cache
