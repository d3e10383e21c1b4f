# Everything runs in a virtual environment of its own; needs Python 3.11, 3.12 or 3.13, pip and make.
# Another Python beside the first: make test PYTHON=python3.13 VENV=/tmp/v313
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= data
RUNS ?= runs
TESTED := $(patsubst constraints-%.txt,%,$(sort $(wildcard constraints-*.txt)))
EXTRAS ?= docs,pipelines,plan,tensorboard,test
# Two threads a pool at most: more only fight over a laptop's cores.
export TF_CPP_MIN_LOG_LEVEL ?= 3
# The TPU compiler is among the extras: without an accelerator, JAX would look for a TPU behind it.
ACCELERATORS ?= $(wildcard /dev/nvidia[0-9]* /dev/accel[0-9]* /dev/vfio/[0-9]*)
ifeq ($(strip $(ACCELERATORS)),)
export JAX_PLATFORMS ?= cpu
endif

.PHONY: help python prepare quickstart test test-slow coverage docs evidence lint format clean

help:
	@echo "make quickstart   data, training, evaluation and an HTML report, from nothing"
	@echo "make test         lint, types and all tests but the slow ones"
	@echo "make test-slow    the slow tests"
	@echo "make coverage     all tests, and the share of lines they run in each room"
	@echo "make docs         the documents as a site, in build/site; a link to nowhere is an error"
	@echo "make evidence     long drills and simulations; writes experiments/evidence/*.json"
	@echo "make format       rewrite the code in the project's format"

# The versions that an environment gets are those tested with its Python.
VERSION := import sys; print("%d.%d" % sys.version_info[:2])
$(VENV)/installed: setup.cfg $(wildcard constraints-*.txt) | python
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  -c constraints-$$($(BIN)/python -c '$(VERSION)').txt -e ".[$(EXTRAS)]"
	touch $@

# An environment keeps the Python it was made with: a wish for another one must not be lost.
python:
	@set -e; wanted=$$($(PYTHON) -c '$(VERSION)'); version=$$wanted; \
	if test -x $(BIN)/python; then version=$$($(BIN)/python -c '$(VERSION)'); fi; \
	if test "$(origin PYTHON)" != file && test $$version != $$wanted; then \
	  echo "$(VENV) has Python $$version, PYTHON=$(PYTHON) is $$wanted: set VENV to another folder"; exit 1; fi; \
	if ! test -f constraints-$$version.txt; then \
	  echo "Python $$version is not among the tested ones, $(TESTED): set PYTHON to one of these"; exit 1; fi

prepare: $(VENV)/installed
	$(BIN)/python launch/prepare.py --dataset=simulated_cxr --data_dir=$(DATA) --patients=2000 --size=64
	$(BIN)/python launch/prepare.py --vocabulary=simulated_cxr --data_dir=$(DATA) --datasets=simulated_cxr_m,simulated_cxr_c --vocabulary_size=1000

quickstart: prepare
	$(BIN)/python launch/train.py --config=configs/dlilp.py:smoke --workdir=$(RUNS)/dlilp_smoke --config.data.data_dir=$(DATA)
	$(BIN)/python launch/evaluate.py --checkpoint=$(RUNS)/dlilp_smoke --suite=configs/evaluate/smoke.py --data_dir=$(DATA) --output=$(RUNS)/dlilp_smoke/evaluation

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: lint
	$(BIN)/python -m pytest -q -n 2 --dist loadscope

test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -q -m slow -n 2 --dist loadscope

coverage: $(VENV)/installed
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n 2 --dist loadscope -m "slow or not slow"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage json --quiet
	$(BIN)/python -m tests.coverage_by_room coverage.json

docs: $(VENV)/installed
	$(BIN)/python -m docs_site.reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# What a test can only sample: twenty killed runs, estimators against known information, the
# difficulty of the cohort. The JSON is committed.
EVIDENCE := experiments/evidence
evidence: prepare
	mkdir -p $(EVIDENCE) $(RUNS)
	$(BIN)/python -m experiments.kill_resume --data_dir=$(DATA) --workdir=$(RUNS)/kills > $(RUNS)/kill_resume.json
	$(BIN)/python -m experiments.information_estimators --output=$(RUNS)/information
	$(BIN)/python -m experiments.cohort_difficulty --patients=2000 --output=$(RUNS)/cohort_difficulty.json
	cp $(RUNS)/kill_resume.json $(RUNS)/information/estimators.json $(RUNS)/cohort_difficulty.json $(EVIDENCE)

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
