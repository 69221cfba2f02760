# `make demo` and `make test` work as the first command on a machine with Python >= 3.11, venv and make.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test lint bench accuracy certify alarms docs format lock clean

demo: $(STAMP)  ## train a real model, check a year of production, open the report
	$(BIN)/barograph demo --batch

test: $(STAMP)  ## every test and doctest
	$(BIN)/python -m pytest -n auto

lint: $(STAMP)  ## style, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## ratios of speed and memory, measured in one run
	$(BIN)/python benchmarks/run.py

accuracy: $(STAMP)  ## how good the estimates are: make accuracy DATA=folder
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/accuracy.py $(DATA)

certify: $(STAMP)  ## do the alarm rules keep their word? writes docs/certification.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/certify.py

alarms: $(STAMP)  ## what check says of real streams: make alarms DATA=folder, writes docs/alarms.md
	$(BIN)/python benchmarks/alarms.py $(DATA)

docs: $(STAMP)  ## the catalogue of metrics, from the docstrings
	$(BIN)/python -m barograph.metrics.document docs/metrics.md

$(STAMP): requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(STAMP)

lock: $(STAMP)  ## renew requirements.lock after a change of pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet -o requirements.lock

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache barograph-report.html
