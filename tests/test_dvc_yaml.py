"""What dvc.yaml says, held against the code and params.yaml."""

import subprocess
import sys
from importlib import import_module

import pytest
import yaml

from infogan.objectives import INFOGAN_ALONE
from tests.imports import ROOT, imported_files, is_documentation

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = PIPELINE["stages"]
TOP_LEVEL = set(yaml.safe_load((ROOT / "params.yaml").read_text()))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_code_that_it_imports_and_on_no_folder_in_vain(stage):
    modules = {path for path in imported_files(f"stages.{stage}") if not is_documentation(path)}
    # Which data set's file it is, only the parameters say.
    named = "infogan/datasets/${dataset}.py"
    deps = [dep for dep in STAGES[stage]["deps"] if dep.startswith(("infogan", "stages"))]
    covered = {dep: {m for m in modules if m == dep or m.startswith(dep + "/")} for dep in deps}
    assert modules == set().union(*covered.values())
    assert [dep for dep, files in covered.items() if not files and dep != named] == []
    assert (named in deps) != ("infogan/datasets" in deps)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_and_its_options_are_described_and_it_runs_the_module_of_its_name(stage):
    assert STAGES[stage]["desc"]
    assert STAGES[stage]["cmd"].startswith(f"python -m stages.{stage} ")
    parser = import_module(f"stages.{stage}").parser()
    assert parser.description
    assert all(action.help for action in parser._actions)


def parameters_of(stage: str) -> set[str]:
    """The parameters that a stage lists one by one."""
    return {key for key in STAGES[stage].get("params", []) if isinstance(key, str)}


def test_every_parameter_is_a_dependency_of_some_stage_and_of_the_report_which_states_it():
    stages = set(STAGES) - {"report"}
    listed = {key.split(".")[0] for stage in stages for key in parameters_of(stage)}
    of_the_matrix = {"seeds", "objectives"}
    assert TOP_LEVEL - listed == of_the_matrix | set(INFOGAN_ALONE)
    assert parameters_of("report") == TOP_LEVEL - {"runtime"}
    # So that a wrong one never passes.
    assert {"params.yaml": None} in STAGES["objectives"]["params"]


def test_training_depends_on_the_lambdas_through_its_objective_and_of_the_runtime_on_precision():
    assert not {*INFOGAN_ALONE, "objectives"} & parameters_of("train")
    assert "runs/objectives/${item.objective}.json" in STAGES["train"]["deps"]
    listed = [(stage, key) for stage in STAGES for key in parameters_of(stage) if "runtime" in key]
    assert listed == [("train", "runtime.precision")]


def test_only_the_report_writes_files_for_git():
    uncached = {
        stage
        for stage, spec in STAGES.items()
        for out in [*spec.get("outs", []), *spec.get("metrics", [])]
        if isinstance(out, dict)
    }
    assert uncached == {"report"}


# What takes from .2 to 2 seconds to import.
SLOW = {"dvc", "joblib", "matplotlib", "pandas", "scipy", "skimage", "sklearn", "torch"}


@pytest.mark.parametrize(
    ("stage", "needed"),
    [("objectives", set()), ("download", set()), ("report", {"matplotlib", "pandas"})],
)
def test_a_stage_without_a_network_starts_without_what_is_slow_to_import(stage, needed):
    program = f"import sys, stages.{stage}; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    assert SLOW & set(loaded.split()) == needed
