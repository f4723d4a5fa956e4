# `make run` and `make test` set up a fresh machine by themselves: a virtual environment in .venv, then the job.
# GPU=1 takes PyTorch with CUDA, GPU=0 for the CPU alone; else nvidia-smi decides. VERSIONS: locked, newest or lowest.
PYTHON ?= python3
BIN := .venv/bin
VERSIONS ?= locked
BUILD := $(if $(GPU),$(if $(filter 0,$(GPU)),cpu,gpu),auto)
# an environment that uv has made has no pip
PIP := $(if $(shell command -v uv),uv pip install --python $(BIN)/python,$(BIN)/python -m pip install) --quiet
.PHONY: run quick figures test long unit coverage lint fresh browser mistakes matrix bench grader-table attack-table
.PHONY: site site-look decoders setup lock clean
# what is compiled is kept: each of the processes that tests and notebooks start would compile it anew
unexport PYTHONDONTWRITEBYTECODE

run: setup
	$(BIN)/python -m course run

quick: setup
	$(BIN)/python -m course run --quick

figures: setup
	$(BIN)/python -m course run --inplace

# the many short tests two at a time; what executes notebooks shares the processors out by itself
test: unit
	$(BIN)/python -m pytest -m "slow and not long"

long: setup
	$(BIN)/python -m pytest -m long

unit: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not long" -n 2 --dist loadfile -p no:nbval

# what the tests without "long" run of helpers and course, in kernels, graders and commands, too
coverage: setup
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m "not long"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright --pythonpath $(BIN)/python

fresh:
	$(PYTHON) -m course.dev.fresh
	$(PYTHON) -m course.dev.light

browser: setup
	$(PIP) playwright
	$(BIN)/python -m course.dev.browser

mistakes: setup
	$(BIN)/python -m course.dev.mistakes

bench: setup
	$(BIN)/python -m course bench speed

matrix: setup
	$(BIN)/python -m course.dev.matrix

grader-table: setup
	$(BIN)/python -m course.grading.corpus.grader_table --jobs 2

attack-table: setup
	$(BIN)/python -m course.grading.corpus.attack_table

# static pages of what is committed, in site/; nothing is executed, nothing is trained
site: setup
	$(BIN)/python -m course.dev.site

# every page in a headless browser, at two widths; screenshots in executed/site-look
site-look: site
	$(PIP) playwright
	$(BIN)/python -m course.dev.site.look

# the networks of the site's latent plane, which are committed: after 04 or 06 was trained anew
decoders: setup
	$(BIN)/python -m course.dev.export_decoders

setup: .venv/installed

.venv/installed: pyproject.toml requirements.lock
	$(PYTHON) -m course.dev.install --build $(BUILD) --versions $(VERSIONS)

# one of them was asked for: look again at what is installed
ifneq ($(filter-out undefined,$(origin GPU))$(filter-out file,$(origin VERSIONS)),)
.PHONY: .venv/installed
endif

# the versions that are installed become the locked ones, after the tests have passed with them
lock: setup
	command -v uv || $(PIP) uv
	$(MAKE) test
	$(BIN)/python -m course.dev.lock

clean:
	rm -rf .venv executed site checkpoints student_figures/*.png .pytest_cache .ruff_cache .import_linter_cache .coverage*
