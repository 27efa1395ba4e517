# Each target makes its own environment from requirements.lock.
.PHONY: repro study compare test demo lock runs

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
RUN := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
UV := uv==0.13.9

# Run what has changed since the last run; all of it on a fresh clone. `dvc repro` alone does the
# same one stage at a time; here the trainings run side by side, and then the evaluations, which on
# few cores is faster.
repro: $(READY)
	$(RUN) dvc repro download objectives classifier
	$(RUN) sh -c '$(call SIDE_BY_SIDE,train)'
	$(RUN) sh -c '$(call SIDE_BY_SIDE,evaluate)'
	$(RUN) dvc repro

# The cores are shared out; with more runs than cores, each has one and the rest wait.
SIDE_BY_SIDE = \
	runs=$$(dvc stage list --name-only | grep "^$(1)@"); \
	share=$$(($$(nproc) / $$(echo "$$runs" | wc -l))); \
	echo "$$runs" | OMP_NUM_THREADS=$$((share > 1 ? share : 1)) \
		xargs -P "$$(nproc)" -n 1 dvc --wait-for-lock repro --single-item

# The replication study: every recipe of study/experiments.yaml over its seeds, and the report.
study: $(READY)
	$(RUN) dvc repro download objectives classifier
	$(RUN) python -m study run --jobs "$$(nproc)"

# Two states of the results side by side: `make compare A=main B=name` writes one web page. Each is a
# Git revision, the name of an experiment, or `workspace` for what lies here.
compare: A = HEAD
compare: B = workspace
compare: $(READY)
	$(RUN) python -m compare "$(A)" "$(B)"

# Static checks, then the tests.
test: $(READY)
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports --no-logo
	$(RUN) python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# The whole pipeline on scikit-learn's small digits, as a temporary experiment.
demo: $(READY)
	$(RUN) dvc exp run --temp --force --name demo $(DEMO)
	rm -rf demo && mkdir demo
	git archive "$$(git for-each-ref --sort=-creatordate --count=1 --format='%(refname)' \
		'refs/exps/*/*/demo')" reports | tar -x -C demo
	@echo "The demo's report is demo/reports/index.html."
	@echo "Few steps on small digits: expect a glimpse, not a result."

# Half as wide, and faster learning than the paper's, so that digits appear within 600 steps.
DEMO := -S dataset=digits -S num_steps=600 -S networks.width=0.5 -S networks.init_std=0.03 \
	-S training.batch_size=64 -S training.generator_lr=0.002 -S training.discriminator_lr=0.0004 \
	-S classifier.num_epochs=20 -S evaluate.num_samples=1000 -S evaluate.num_trajectories=20 -S evaluate.refit_steps=50

# Resolve the newest versions that pyproject.toml allows.
lock: $(READY)
	$(RUN) uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade -o requirements.lock

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than 3.11; say make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(UV)
	$(VENV)/bin/uv pip install --python $(VENV)/bin/python --require-hashes -r requirements.lock
	@touch $@

# All runs in a table as wide as the screen: which parameters differ, and the headline metrics.
runs: $(READY)
	@$(RUN) python -m compare.runs
