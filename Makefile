# Everything runs in a virtual environment of its own; needs Python 3.11, pip and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= data
RUNS ?= runs
EXTRAS ?= pipelines,plan,tensorboard,test
# Two threads a pool at most: more only fight over a laptop's cores.
export TF_CPP_MIN_LOG_LEVEL ?= 3
# The TPU compiler is among the extras: without this, JAX would look for a TPU behind it.
export JAX_PLATFORMS ?= cpu

.PHONY: help quickstart test test-slow lint format clean

help:
	@echo "make quickstart   data, training, evaluation and an HTML report, from nothing"
	@echo "make test         lint, types and all tests but the slow ones"
	@echo "make test-slow    the slow tests"
	@echo "make format       rewrite the code in the project's format"

$(VENV)/installed: setup.cfg constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed, this is " + sys.version'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e ".[$(EXTRAS)]"
	touch $@

quickstart: $(VENV)/installed
	$(BIN)/python launch/prepare.py --dataset=simulated_cxr --data_dir=$(DATA) --patients=2000 --size=64
	$(BIN)/python launch/prepare.py --vocabulary=simulated_cxr --data_dir=$(DATA) --datasets=simulated_cxr_m,simulated_cxr_c --vocabulary_size=1000
	$(BIN)/python launch/train.py --config=configs/dlilp.py:smoke --workdir=$(RUNS)/dlilp_smoke --config.data.data_dir=$(DATA)
	$(BIN)/python launch/evaluate.py --checkpoint=$(RUNS)/dlilp_smoke --suite=configs/evaluate/smoke.py --data_dir=$(DATA) --output=$(RUNS)/dlilp_smoke/evaluation

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -q -n 2 --dist loadscope

test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -q -m slow

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
