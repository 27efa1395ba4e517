"""What dvc.yaml says, held against the code and params.yaml."""

import pytest
import yaml

from tests.imports import ROOT, imported_files, is_documentation

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = PIPELINE["stages"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_modules_it_imports(stage):
    modules = {path for path in imported_files(f"stages.{stage}") if not is_documentation(path)}
    listed = {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")}
    assert listed == modules


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_described_and_runs_the_module_of_its_name(stage):
    assert STAGES[stage]["desc"]
    assert STAGES[stage]["cmd"].startswith(f"python -m stages.{stage} ")
    assert (ROOT / "stages" / f"{stage}.py").is_file()


def test_every_parameter_is_some_stages_dependency_or_about_the_runtime():
    listed = {key for stage in STAGES.values() for key in stage.get("params", [])}
    top_level = set(yaml.safe_load((ROOT / "params.yaml").read_text()))
    assert top_level - {"runtime"} <= {key.split(".")[0] for key in listed}
    assert "runtime" not in listed


def test_training_does_not_depend_on_the_lambdas_but_through_its_objective():
    assert not {"lambda_disc", "lambda_cont"} & set(STAGES["train"]["params"])
    assert "runs/objectives/${item.objective}.json" in STAGES["train"]["deps"]
    assert {"lambda_disc", "lambda_cont"} <= set(STAGES["objectives"]["params"])


def test_only_the_report_writes_files_for_git():
    uncached = {
        stage
        for stage, spec in STAGES.items()
        for out in [*spec.get("outs", []), *spec.get("metrics", [])]
        if isinstance(out, dict)
    }
    assert uncached == {"report"}


def test_the_package_imports_neither_dvc_nor_dvclive():
    for path in (ROOT / "infogan").glob("*.py"):
        assert "dvc" not in {
            line.split()[1].split(".")[0][:3]
            for line in path.read_text().splitlines()
            if line.startswith(("import ", "from "))
        }, path
