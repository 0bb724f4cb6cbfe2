# Two commands do everything on a fresh clone: `make demo` and `make test`.
# TORCH pins a build that exists for CPU alone; an installed torch that pyproject.toml accepts is kept.
PYTHON ?= python3
TORCH  ?= torch==2.13.0
BIN    := .venv/bin

.PHONY: demo test check format docs applications clean

.venv/.demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/pip install -q --disable-pip-version-check "$(TORCH)"
	$(BIN)/pip install -q --disable-pip-version-check -e ".[all]"
	touch $@

.venv/.test: .venv/.demo
	$(BIN)/pip install -q --disable-pip-version-check -e ".[test]"
	touch $@

demo: .venv/.demo  ## train on real data and leave a report
	$(BIN)/descend fit digits --seconds 15

test: .venv/.test check  ## every test, and the checks of style and types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.demo  ## write the pages of the methods anew, from their docstrings
	$(BIN)/python docs/write_methods.py

# Seven hours, and data that are not the project's: make applications AUSTEN=austen.txt BCCD=bccd
applications: .venv/.test  ## measure what the applications reach, and write it down
	$(BIN)/pip install -q --disable-pip-version-check -e ".[bench]"
	$(BIN)/python bench/applications.py $(if $(AUSTEN),--austen $(AUSTEN)) $(if $(BCCD),--bccd $(BCCD))

clean:
	rm -rf .venv runs
