# Each target makes its own environment from requirements.lock.
.PHONY: env repro study compare runs back test demo lock

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# With `exec`, so that on Ctrl-C make waits until what runs has let go of DVC's locks.
RUN := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" exec
DVC := $(RUN) dvc --wait-for-lock
UV := uv==0.13.9
VERSION := import sys; print(sys.version_info[:2])

# DVC asks who its user is, which a container may not know.
export USER := $(or $(USER),$(shell id -un 2>/dev/null || id -u))

# Containers often have Python keep no compiled files: then each stage compiles torch anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE

# The environment alone.
env: $(READY)

# Run what has changed since the last run; all of it on a fresh clone. `dvc repro` alone does the
# same one stage at a time; here the trainings and the judge's run side by side, and then the
# evaluations.
repro: $(READY)
	$(RUN) python -m stages.objectives --check
	$(DVC) repro download
	$(RUN) python -m stages.side_by_side train judge
	$(RUN) python -m stages.side_by_side evaluate
	$(DVC) repro

# The replication study: every recipe of study/experiments.yaml over its seeds, and the report. On a
# cluster with `make study ON=tcp://scheduler:8786 STORE=/shared/folder`, see docs/clusters.md.
study: $(READY)
	$(RUN) python -m stages.objectives --check
	$(RUN) python -m study run $(if $(ON),--on "$(ON)") $(if $(STORE),--store "$(STORE)")

# Two states of the results side by side: `make compare A=main B=name` writes one web page. Each is a
# Git revision, the name of an experiment, or `workspace` for what lies here.
compare: A = HEAD
compare: B = workspace
compare: $(READY)
	$(RUN) python -m compare "$(A)" "$(B)"

# Go back to the last commit: parameters, lock file and reports from Git, runs from DVC's cache.
# What the study has put on record since then stays; what never ran here is left out.
back: $(READY)
	git restore --source=HEAD --staged --worktree params.yaml dvc.lock reports ':!reports/study*'
	git clean -fdq --exclude=study reports
	$(DVC) checkout --force --allow-missing

# Static checks (tests/test_static.py) and tests.
test: $(READY)
	$(RUN) python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# The whole pipeline on scikit-learn's small digits, as a temporary experiment.
demo: REF = $$(git for-each-ref --sort=-creatordate --count=1 --format='%(refname)' 'refs/exps/*/*/demo')
demo: $(READY)
	@test "$$(git rev-parse --is-shallow-repository)" = false || \
		{ echo "error: DVC keeps no experiment in a shallow clone; say git fetch --unshallow"; exit 1; }
	$(RUN) sh -c 'flags=$$(python -m stages.preset demo --flags) && \
		exec dvc --wait-for-lock exp run --temp --force --name demo $$flags'
	rm -rf demo && mkdir demo
	git archive "$(REF)" reports params.yaml | tar -x -C demo
	$(DVC) get --quiet --rev "$$(git rev-parse "$(REF)")" --out demo/reports/explorer.html . reports/explorer.html
	@echo "The demo's report is demo/reports/index.html."
	@echo "Few steps on small digits: expect a glimpse, not a result."

# Resolve the newest versions that pyproject.toml allows.
lock: $(READY)
	$(RUN) uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade -o requirements.lock

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than 3.11; say make PYTHON=python3.11"; exit 1; }
	@test ! -e $(VENV) || test "$$($(VENV)/bin/python -c '$(VERSION)')" = "$$($(PYTHON) -c '$(VERSION)')" || \
		{ echo "error: $(VENV) is of another Python; delete it (rm -rf $(VENV)) and run again"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(UV)
	$(VENV)/bin/uv pip install --python $(VENV)/bin/python --require-hashes -r requirements.lock
	@touch $@

# All runs in one table, scrolled sideways: which parameters differ, the headline metrics of InfoGAN,
# and at which step a training is.
HEADLINES = accuracy_matched|accuracy_generated|bound_cat_nats|slant_spearman|width_spearman|frechet_classifier
runs: $(READY)
	@$(DVC) exp show --only-changed --drop '(infogan|gan|cgan)\.|.*(_loss|bound_c)' \
		--keep 'infogan\.($(HEADLINES))$$|(.*:)?step$$'
