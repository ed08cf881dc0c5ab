# Two commands on a fresh machine: `make quickstart`, then `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: quickstart test browser test-slow test-gpu chaos bench bench-gpu docs figures lint types format clean

quickstart: $(VENV)/installed
	$(BIN)/fairdarts sweep run quickstart

# Two at a time: more would compete with the Ray that some tests start. In the order of their names, so that the
# longest files (tests/chaos, tests/integration) begin first.
test: $(VENV)/installed-dev
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# The browser in which tests look at the report; as root, on Debian.
browser:
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends \
		chromium chromium-driver fonts-dejavu-core

# And the tests for a GPU, on the CPU, so that they are right when one is at hand.
test-slow: $(VENV)/installed-dev
	$(BIN)/pytest -m slow
	$(BIN)/pytest -m "gpu and not slow" tests/gpu --device cpu

# Kills, dead nodes, pairs of drivers, damage, full disks and wrong clocks:
# make chaos CHAOS="--kills 20 --raylets 5 --pairs 10 --seed 7"
chaos: $(VENV)/installed-dev
	$(BIN)/pytest -s -m "" --timeout 0 $(CHAOS) tests/chaos \
		tests/unit/orchestrate/running/test_every_write.py \
		tests/unit/orchestrate/running/test_store_check.py

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.remake docs/performance.md

# On a machine with a GPU, in the environment if there is one. Without it, Python needs torch, timm,
# pydantic and NumPy for the one, and pytest with its timeouts and xdist for the other, but no Ray.
# Most of the tests' time goes into compiling kernels, which eight processes do side by side.
GPU_PYTHON = $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
OUT ?= gpu-results

test-gpu:
	$(GPU_PYTHON) -m pytest -n 8 -m "gpu and not slow" tests/gpu $(wildcard tests/kernels)

bench-gpu:
	$(GPU_PYTHON) -m benchmarks.gpu --out $(OUT) $(if $(DATA),--data $(DATA))

docs: $(VENV)/installed
	$(BIN)/python -m cli.reference docs/cli.md
	$(BIN)/python -m results.report.dictionary docs/tables.md
	$(BIN)/python -m cli.gallery docs/figures.md

# Pictures of the figures, of small real sweeps: about an hour on two cores, and continued if stopped.
GALLERY ?= gallery-runs

figures: $(VENV)/installed
	$(BIN)/fairdarts sweep run examples/gallery/s1.toml --store $(GALLERY)
	$(BIN)/fairdarts sweep run examples/gallery/weights.toml --store $(GALLERY)
	$(BIN)/python -m cli.gallery docs/figures.md --store $(GALLERY)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports

types: $(VENV)/installed-dev
	$(BIN)/mypy

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("fairdarts needs Python 3.11 or newer; set PYTHON=... to one") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@
