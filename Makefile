# `make demo` and `make test` work as the first command on a machine with Python >= 3.11, venv and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
VERSIONS := 3.11 3.12 3.13 3.14

.PHONY: demo test provider sbom versions coverage wheel lint bench accuracy certify alarms chaos hostile torture fuzz load replays delivery screenshots docs format lock clean producers sdk-bench sdk-soak sdk-wheel kafka history histories soak power streams

demo: $(STAMP)  ## train real models, serve them, and watch a story of real and injected troubles until Ctrl-C
	$(BIN)/barograph demo

test: $(STAMP) provider  ## every test and doctest
	$(BIN)/python -m pytest -n auto

versions:  ## the same with each Python that is installed
	@for version in $(VERSIONS); do \
		if command -v python$$version > /dev/null && python$$version -c "" 2> /dev/null; then \
			$(MAKE) test PYTHON=python$$version VENV=.venv-$$version || exit 1; \
		else \
			echo "Python $$version is not installed: not tested"; \
		fi; \
	done

provider:  ## npm's oidc-provider, by which tests sign in; without npm they are skipped
	@command -v npm > /dev/null || echo "npm is missing: SIGNING IN BY A REAL PROVIDER IS NOT TESTED"
	@! command -v npm > /dev/null || test -d tests/server/oidc/node_modules/oidc-provider || \
		npm ci --prefix tests/server/oidc --no-audit --no-fund --silent

coverage: $(STAMP)  ## the lines that the tests reach; TESTS=folder for a part. Compiled loops do not count
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

wheel: $(STAMP)  ## the wheel and the source archive, in dist
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv build --quiet --out-dir dist

sbom:  ## what a server consists of, with versions and hashes of the lock, as CycloneDX: dist/barograph.cdx.json
	$(PYTHON) -m venv build/sbom
	build/sbom/bin/python -m pip install --quiet --disable-pip-version-check "cyclonedx-bom==7.5.0" "uv>=0.5"
	mkdir -p dist
	build/sbom/bin/uv pip compile pyproject.toml --extra server --extra report --extra sql --extra kafka --extra iceberg \
		--constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-annotate --no-header --quiet -o build/sbom/requirements.txt
	build/sbom/bin/cyclonedx-py requirements build/sbom/requirements.txt --pyproject pyproject.toml --mc-type application \
		--output-reproducible --validate -o dist/barograph.cdx.json

lint: $(STAMP)  ## style, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## speed and memory against targets: make bench [PARTS="kernel peers"] [PEERS=folder of environments of other tools]
	$(BIN)/python benchmarks/run.py $(PARTS) $(if $(PEERS),--peers $(PEERS)) --write

accuracy: $(STAMP)  ## how good the estimates are: make accuracy DATA=folder
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/accuracy.py $(DATA)

certify: $(STAMP)  ## do the alarm rules keep their word? writes docs/certification.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/certify.py

power: $(STAMP)  ## how early harm is told and how quiet it is, simulated; goes on for three hours, writes docs/power.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/power.py --write

streams: $(STAMP)  ## how early harm is told on real streams: make streams DATA=folder, writes docs/streams.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/streams.py $(DATA)

alarms: $(STAMP)  ## what check says of real streams: make alarms DATA=folder, writes docs/alarms.md
	$(BIN)/python benchmarks/alarms.py $(DATA)

chaos: $(STAMP)  ## kill the service under load for 50 rounds; writes docs/chaos.md
	$(BIN)/python benchmarks/chaos.py --rounds 50 --write

torture: $(STAMP)  ## hostile clients on the wire, for three minutes; writes docs/torture.md
	$(BIN)/python benchmarks/torture.py --write

fuzz: $(STAMP)  ## damaged files and bodies through the readers and decoders, 20,000 of them; then every key and every route, longer than in the tests
	$(BIN)/python benchmarks/fuzz.py --inputs 20000
	BAROGRAPH_DOOR=4 BAROGRAPH_EXAMPLES=50 $(BIN)/python -m pytest -q tests/server/test_door.py tests/server/test_openapi.py

hostile: $(STAMP)  ## what hostile bodies do to the memory of a server, for half an hour; writes docs/hostile.md
	$(BIN)/python benchmarks/hostile.py --write

load: $(STAMP)  ## what the service takes, for 45 minutes on an idle machine; writes docs/load.md
	$(BIN)/python benchmarks/load ingest --write
	$(BIN)/python benchmarks/load sustained --minutes 10 --rate 60000 --write
	$(BIN)/python benchmarks/load queries --write
	$(BIN)/python benchmarks/load memory --minutes 30 --write

replays: $(STAMP)  ## real streams through the live service: make replays DATA=folder, writes docs/replays.md
	$(BIN)/python benchmarks/replays.py incidents $(DATA)
	$(BIN)/python benchmarks/replays.py flights $(DATA)

delivery: $(STAMP)  ## kill the service 50 times while receivers fail at random; writes docs/delivery.md
	$(BIN)/python benchmarks/delivery_chaos.py --write

history: $(STAMP)  ## what an update costs by how long a model has been watched; writes docs/benchmarks.md
	$(BIN)/python benchmarks/history.py --write

soak: $(STAMP)  ## long histories back-filled, then 60 chunks close a minute, on an idle machine; SOAK="--scale 0.1 --minutes 4" for a short form
	$(BIN)/python benchmarks/soak.py $(SOAK)

histories: $(STAMP)  ## 500 random histories: what is carried on gives what evaluating everything gives
	BAROGRAPH_HISTORIES=500 $(BIN)/python -m pytest tests/checks/test_carried.py -q

sdk-wheel: $(STAMP)  ## the wheel barograph-sdk, in dist/: the client alone, for Python 3.9 and newer
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist packaging/sdk

producers: $(STAMP) $(VENV)/emulators  ## every client, language and source against real servers; writes docs/producers/README.md
	PATH="$$PATH:$(CURDIR)/$(VENV)/emulators/bin:$(CURDIR)/$(VENV)/emulators/node_modules/.bin" $(BIN)/python benchmarks/producers.py

$(VENV)/emulators:  ## what plays the object storage of Google and Azure, for tests
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check "gcp-storage-emulator>=2026.7"
	command -v npm > /dev/null && npm install --silent --no-audit --no-fund --prefix $@ "azurite@^3.37" || echo "npm is not installed: Azure is not tested"

sdk-bench: $(STAMP)  ## what the client costs and delivers, on an idle machine
	for what in import call flood deliver; do $(BIN)/python benchmarks/sdk.py $$what || exit 1; done

sdk-soak: $(STAMP)  ## ten minutes at 2,000 calls a second; the server is stopped for two and killed five times
	$(BIN)/python benchmarks/sdk.py soak

kafka: $(STAMP)  ## a million messages of Kafka, while consumer, server and broker are killed or stand still; ten minutes
	$(BIN)/python benchmarks/kafka.py

docs: $(STAMP)  ## the pages that are written from the source: metrics, rules, settings, wording
	$(BIN)/python -m barograph.metrics.document docs/metrics.md
	$(BIN)/python -m barograph.rules.document docs/rules.md
	$(BIN)/python -m barograph.scenarios.wording docs/wording.md
	$(BIN)/python -m barograph.cli.document docs/settings.md

screenshots: $(STAMP)  ## the pictures of the README, from the data of the demo; every page: SCREENSHOTS="--all folder"
	$(BIN)/python benchmarks/screenshots.py --write $(SCREENSHOTS)

$(STAMP): requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(STAMP)

lock: $(STAMP)  ## renew requirements.lock after a change of pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet -o requirements.lock

clean:
	rm -rf .venv .venv-3.* dist .coverage* .mypy_cache .pytest_cache .ruff_cache barograph-report.html
