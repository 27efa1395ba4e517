"""The pipeline as DVC runs it, on scikit-learn's digits, in a repository of its own.

The tests build on each other in the order in which they stand, as a person's day would.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import GIT
from tests.imports import ROOT
from tests.stages.test_stages import TINY, leaves, run_stage, run_stages

Run = Callable[..., str]


def environment(home: Path) -> dict[str, str]:
    """A person's environment with nothing set up but the project's own, and no network needed."""
    kept = {key: os.environ[key] for key in ("LANG", "LD_LIBRARY_PATH") if key in os.environ}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return kept | GIT | {"PATH": path, "HOME": str(home), "OMP_NUM_THREADS": "1"}


def copy_repository(folder: Path, run: Run, root: str = ".") -> None:
    """The project's files as they are now, committed to a new repository, whose root may differ.

    Without the study's hundreds of records, which DVC would go through each time.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith("reports/study/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    run("git", "init", "-q", "-b", "main", root)
    commit(run)


def commit(run: Run) -> None:
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "State")


def make_run(folder: Path, home: Path) -> Run:
    def run(*command: str, fails: bool = False) -> str:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory, make_params) -> Run:
    """Runs a command in a repository with tiny parameters, in which all stages have been run.

    The project is a folder of a larger Git repository. The stages ran in this process, which takes
    a sixth of the time.
    """
    folder = tmp_path_factory.mktemp("repository") / "project"
    folder.mkdir()
    run = make_run(folder, tmp_path_factory.mktemp("home"))
    copy_repository(folder, run, "..")
    (folder / "dvc.lock").unlink(missing_ok=True)
    values = make_params(TINY | {"seeds": [0], "lambda_cont": 0.1}).model_dump()
    params = folder / "params.yaml"
    params.write_text(yaml.safe_dump(values, sort_keys=False))
    packed = folder / "data" / "packed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        run_stage("download", params, "--out", packed, "--raw", folder / "data" / "raw")
        run_stages(params, folder, packed)
    run("dvc", "commit", "--force")
    commit(run)
    return run


def back(run: Run) -> None:
    """`make back`, which the documentation names, with the environment of these tests."""
    ready = f"{sys.prefix}/.ready"
    run("make", f"VENV={sys.prefix}", "--old-file", ready, "back")


def stages_run(output: str) -> set[str]:
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


OF_INFOGAN = {f"{stage}@infogan-0" for stage in ("train", "traverse", "evaluate")}
INFOGAN_AND_REPORT = OF_INFOGAN | {"explore", "report"}


def test_the_committed_lock_file_is_that_of_the_committed_code(tmp_path):
    folder = tmp_path / "clone"
    folder.mkdir()
    run = make_run(folder, tmp_path)
    copy_repository(folder, run)
    output = run("dvc", "repro", "--dry", "--allow-missing")
    assert "Data and pipelines are up to date." in output
    assert stages_run(output) == set()


def test_dvc_shows_finite_metrics_of_every_objective(run):
    shown = json.loads(run("dvc", "metrics", "show", "--json"))
    found = shown[""]["data"]["reports/metrics.json"]["data"]
    assert set(found) == {"infogan", "gan", "judge"}
    assert len(leaves(found)) > 30


def test_a_second_repro_changes_nothing(run):
    assert "Data and pipelines are up to date." in run("dvc", "repro")
    assert run("git", "status", "--porcelain") == ""


def test_another_lambda_runs_what_depends_on_it_and_nothing_else(run):
    output = run("dvc", "exp", "run", "-n", "higher", "-S", "lambda_cont=0.3")
    assert stages_run(output) == {"objectives"} | INFOGAN_AND_REPORT
    table = run("dvc", "metrics", "diff", "--md")
    assert "infogan.bound_cont_nats" in table
    assert "gan.bound_cont_nats" not in table.replace("infogan.bound_cont_nats", "")
    plots = run("dvc", "plots", "diff", "--json", "HEAD", "workspace")
    assert "infogan_bound_cat_nats" in plots
    assert "figure_2.png" in plots


def test_one_more_seed_trains_that_seed_alone_and_going_back_leaves_nothing_of_it(run):
    changes = ("-S", "lambda_cont=0.1", "-S", "seeds=[0,1]", "-S", "objectives=[infogan]")
    output = run("dvc", "exp", "run", *changes, "train")
    assert stages_run(output) == {"objectives", "train@infogan-1"}
    assert "Stage 'train@infogan-0' is cached - skipping run" in output
    folder = Path(run("pwd").strip())
    weights = folder / "runs/train/infogan-0/weights.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(b"another layout's")
    (folder / "reports/figures/seeds_infogan.png").write_bytes(b"of two seeds")
    record = folder / "reports/study/infogan-1/record.json"  # which a study has just made
    record.parent.mkdir(parents=True)
    record.touch()
    back(run)
    assert weights.read_bytes() == before
    assert not (folder / "reports/figures/seeds_infogan.png").exists()
    record.unlink()
    assert run("git", "status", "--porcelain") == ""


def test_refused_parameters_are_one_line_and_the_cure_restores_everything(run):
    before = run("cat", "reports/metrics.json")
    changes = ("-S", "lambda_cont=-1", "-S", "+typo=1")
    output = run("dvc", "exp", "run", *changes, fails=True)
    (error,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert "lambda_cont = -1: expected greater than or equal to 0" in error
    assert "typo: unknown parameter" in error
    assert "Traceback" not in output
    back(run)
    # The other seed's runs still lie beside the present ones, which re-runs the report.
    assert stages_run(run("dvc", "repro", "--dry")) <= {"report"}
    assert run("cat", "reports/metrics.json") == before


@pytest.mark.parametrize("dataset", ["../data/raw", "digits; touch touched #"])
def test_no_parameter_reaches_a_command_or_a_path_before_it_is_checked(run, dataset):
    folder = Path(run("pwd").strip())
    mine = folder / "data" / "raw" / "mine.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("the only copy")
    values = yaml.safe_load((folder / "params.yaml").read_text()) | {"dataset": dataset}
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    output = run("dvc", "repro", fails=True)
    assert f"params.yaml: dataset = {dataset!r}: expected one of celeba, chairs" in output
    assert stages_run(output) == {"objectives"}
    # Nor where a person has only one stage run.
    run("dvc", "repro", "--single-item", "download", fails=True)
    assert mine.read_text() == "the only copy"
    assert not (folder / "touched").exists()


def test_going_back_leaves_out_what_never_ran_here(run):
    folder = Path(run("pwd").strip())
    weights = folder / "runs/train/infogan-0/weights.safetensors"
    weights.unlink()
    (folder / ".dvc" / "cache").rename(folder / ".dvc" / "tmp" / "away")
    back(run)
    assert not weights.exists()
    assert run("git", "status", "--porcelain") == ""
