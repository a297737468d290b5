# A fresh machine needs `make demo` and `make test`; everything is installed into .venv, pinned by constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
# Two files of tests at a time, each on one thread.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile
SECONDS_LIMIT ?= 120

.PHONY: demo test test-all lint golden bench docs

demo: .venv/.core  ## race on handwritten digits, down to a report
	$(BIN)/triarch choose digits --seconds $(SECONDS_LIMIT)

test: .venv/.test  ## all but the minutes-long tests
	$(PYTEST) -m "not slow"

test-all: .venv/.test  ## all; the page tests need Debian's package chromium
	$(PYTEST)

lint: .venv/.test  ## style, types, floors
	$(BIN)/ruff check src tests bench docs
	$(BIN)/ruff format --check src tests bench docs
	$(BIN)/mypy
	$(BIN)/lint-imports

golden: .venv/.test  ## record counts and losses of new architectures; ACCEPT=--accept rewrites old ones
	PYTHONPATH=tests $(BIN)/python tests/golden/goldens.py $(ACCEPT)

bench: .venv/.test  ## measure, JSON into bench/results/
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/budget.py
	$(BIN)/python bench/train.py
	$(BIN)/python bench/infer.py

docs: .venv/.core  ## write the README's table of architectures and a page for each
	$(BIN)/python docs/table.py
	$(BIN)/python docs/pages.py

.venv/.core: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.test: .venv/.core
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@
