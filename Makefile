# Attention in Medicine. `make help` lists the commands; each creates what it needs and may be repeated.

PYTHON ?= python3
VENV ?= .venv
# CPU build of torch by default; `make TORCH=cuda ...` for NVIDIA GPUs.
TORCH ?= cpu
# uv installs, and pip where there is no uv; `make env INSTALLER=pip` takes pip at once.
INSTALLER ?= uv
NB ?=
EXERCISE ?=
# Grading: make grade ASSIGNMENT=01_self_attention SUBMISSIONS=folder-or-zip
WORKERS ?=
SCHEDULER ?=
DB ?=
DUE ?=
ROSTER ?=
UNSAFE ?=
GRADING = $(if $(WORKERS),--workers $(WORKERS)) $(if $(SCHEDULER),--scheduler $(SCHEDULER)) \
  $(if $(DUE),--due "$(DUE)") $(if $(UNSAFE),--unsafe)
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# An environment whose Python has gone is made again.
GONE := $(if $(wildcard $(READY)),$(shell $(BIN)/python -c "" 2>/dev/null || echo gone))
# The slowest fifty tests of each stage are printed.
PYTEST := $(BIN)/python -m pytest --durations=50 --durations-min=1
# FRESH=1 judges every answer, also those that nothing has touched since they were judged here.
FRESH ?=
# What runs the notebooks on a GPU: the environment when there is one, else any Python with torch.
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
JOBS ?= $(shell $(PYTHON) -c "import os; print(len(os.sched_getaffinity(0)))" 2>/dev/null || echo 2)

export PATH := $(abspath $(BIN)):$(PATH)
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help lab run test quick lint unit answers nbval notebooks solutions release bench env lock clean \
  gone test-colab test-gpu sandbox browser site doctor grade demo-class mutants

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(READY): constraints.txt requirements.lock pyproject.toml tools/setup_env.py $(GONE)
	@command -v $(PYTHON) >/dev/null || \
	  { echo "setup: there is no $(PYTHON). Python 3.11 or newer is needed: make PYTHON=... $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) tools/setup_env.py --venv $(VENV) --torch $(TORCH) --installer $(INSTALLER)

gone:

env: $(READY) ## create or update the environment in .venv from constraints.txt

lock: $(READY) ## write requirements.lock, the hashes of what constraints.txt pins
	$(BIN)/uv pip compile constraints.txt --no-deps --universal --generate-hashes --no-annotate \
	  --python-version 3.11.0 --no-emit-package torch --quiet --output-file requirements.lock \
	  --custom-compile-command "make lock"

lab: $(READY) ## open the student notebooks in JupyterLab, as a student sees it
	JUPYTER_CONFIG_PATH=tools/lab $(BIN)/jupyter lab --notebook-dir=notebooks \
	  notebooks/00_start_here/00_start_here.ipynb

run: $(READY) ## execute the solutions (or NB=name), write HTML and show the key figures
	$(BIN)/python -m classroom run $(NB)

solutions: $(READY) ## build and execute the solution notebooks (or NB=name)
	$(BIN)/python -m classroom build $(NB)

release: $(READY) ## make the student notebooks (or NB=name), wheel, zip and tree in dist/ (REPO= REF=)
	$(BIN)/python -m classroom release $(NB) \
	  $(if $(REPO),--repo $(REPO)) $(if $(REF),--ref $(REF))

doctor: ## check this machine for the course and for grading, with what to do
	@$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) tools/doctor.py

site: $(READY) ## build the website of the releases in build/site/html (REPO=owner/name REF=v1 for Colab)
	$(BIN)/python -m classroom site $(if $(REPO),--repo $(REPO)) $(if $(REF),--ref $(REF))

lint: $(READY) ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

unit: lint ## lint, then the fast tests
	$(PYTEST) tests/unit -n $(JOBS)

answers: $(READY) ## judge every right and wrong answer by the checks that changed (FRESH=1: all)
	$(if $(FRESH),COURSE_FRESH=1) $(PYTEST) tests/answers

mutants: $(READY) ## judge small wrong changes of the model answers (NB=name EXERCISE=name), write docs/checks.md
	$(BIN)/python tools/mutants.py $(NB) $(EXERCISE)

nbval: $(READY) ## run all solutions with nbval on the device at hand
	COURSE_STRICT=1 $(BIN)/python -m pytest --nbval-lax --nbval-current-env \
	  --nbval-cell-timeout=1200 -p no:cacheprovider -n $(JOBS) --dist loadfile \
	  $(if $(JUNIT),--junitxml=$(JUNIT)) $(sort $(wildcard solutions/*/*.ipynb))

notebooks: nbval ## nbval, and every untouched release runs with stubs alone raising
	$(PYTEST) tests/notebooks -n $(JOBS) --dist load

sandbox: # bubblewrap and libseccomp, in which student code runs: Debian's packages, else their names
	@{ command -v bwrap && ldconfig -p | grep -q libseccomp; } >/dev/null || { command -v apt-get >/dev/null && \
	  { [ "$$(id -u)" = 0 ] || sudo=sudo; $$sudo apt-get update -qq && \
	    $$sudo apt-get install -y -qq bubblewrap libseccomp2; }; } || \
	  echo "There is no bubblewrap here (Debian packages: bubblewrap libseccomp2): student code cannot be boxed."

test: sandbox browser unit answers notebooks ## everything that has to pass
	$(PYTEST) tests/colab tests/classroom tests/mutants -n $(JOBS) --dist loadfile --no-loadscope-reorder
	$(PYTEST) tests/site  # alone: a browser's event loop stays open in its process

quick: $(READY) ## the same for what changed since the last commit on main
	$(BIN)/python tools/quick.py

test-colab: $(READY) ## all solved releases under the package versions of Colab (NB=name for one)
	$(BIN)/python tools/test_colab.py $(NB)

test-gpu: ## nbval over all solutions on a GPU, with the torch of GPU_PYTHON (NB=name for one)
	$(GPU_PYTHON) tools/test_gpu.py $(NB)

bench: $(READY) ## measure the claims over seeds and the performance figures (SEEDS=n ONLY=name|cells NARROW=1)
	$(BIN)/python -m benchmarks $(if $(SEEDS),--seeds $(SEEDS)) $(if $(ONLY),--only $(ONLY)) $(if $(NARROW),--narrow)

grade: $(READY) sandbox ## grade a class (ASSIGNMENT=name SUBMISSIONS=folder-or-zip; WORKERS DB DUE ROSTER UNSAFE)
	$(if $(and $(ASSIGNMENT),$(SUBMISSIONS)),,$(error say which: make grade ASSIGNMENT=name SUBMISSIONS=folder-or-zip))
	$(BIN)/python -m classroom grade "$(ASSIGNMENT)" "$(SUBMISSIONS)" $(GRADING) \
	  $(if $(DB),--db "$(DB)") $(if $(ROSTER),--roster "$(ROSTER)")

demo-class: $(READY) sandbox ## grade 30 simulated students of notebook 01 (minutes), to see it all
	$(BIN)/python -m classroom demo-class $(GRADING)

clean: ## remove what the commands made, but not the environment
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
