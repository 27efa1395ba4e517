"""Every stage in a row on scikit-learn's digits, for layouts with and without each kind of code."""

import importlib
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from infogan.base.dataset import SPLITS
from infogan.base.errors import InfoGANError
from infogan.base.splits import packed_contents, split_path
from infogan.datasets import lookup

TINY = {
    "num_steps": 4,
    "training.log_every": 2,
    "objectives": ["infogan", "gan"],
    "seeds": [3],
    "codes.noise": 4,
    "codes.categorical": [10],
    "codes.continuous": 2,
    "traverse.rows": 2,
    "traverse.columns": 4,
    "evaluate.num_samples": 120,
    "evaluate.num_trajectories": 2,
    "evaluate.refit_steps": 2,
    "judge.num_epochs": 1,
    "runtime.device": "cpu",
    "runtime.threads": 1,
}

LAYOUTS = {
    "the paper's": {},
    "more categories than classes": {"codes.categorical": [12]},
    "fewer categories than classes": {"codes.categorical": [4]},
    "two categorical codes": {"codes.categorical": [10, 2]},
    "three continuous codes": {"codes.continuous": 3},
    "one continuous code": {"codes.continuous": 1},
    "no categorical code": {"codes.categorical": []},
    "no continuous code": {"codes.continuous": 0},
}


def run_stage(name: str, params: Path, *options: str | Path) -> None:
    """One stage in this process, as its command line would run it."""
    stage = importlib.import_module(f"stages.{name}")
    arguments = ["--params", str(params), *map(str, options)]
    stage.main(stage.parser().parse_args(arguments))


def write_params(folder: Path, make_params, changes: dict) -> Path:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(make_params(TINY | changes).model_dump()))
    return path


@pytest.fixture(autouse=True)
def resume_elsewhere(tmp_path, monkeypatch) -> None:
    """Leave the repository's own unfinished trainings alone."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.fixture(scope="session")
def shared(tmp_path_factory, make_params) -> Path:
    """Packed digits and a classifier of them."""
    folder = tmp_path_factory.mktemp("shared")
    params = write_params(folder, make_params, {})
    run_stage("download", params, "--out", folder / "data", "--raw", folder / "raw")
    run_stage("judge", params, "--data", folder / "data", "--out", folder / "judge")
    return folder


@pytest.fixture
def pipeline(tmp_path, shared, make_params):
    """All stages after the classifier, for some changes of the parameters; returns the folder."""
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "judge").symlink_to(shared / "judge")

    def run(changes: dict) -> Path:
        params = write_params(tmp_path, make_params, changes)
        values = make_params(TINY | changes)
        run_stage("objectives", params, "--out", runs / "objectives")
        for objective in values.objectives:
            for seed in values.seeds:
                run_one(params, objective, seed)
        first = f"{values.objectives[0]}-{values.seeds[0]}"
        weights = runs / "train" / first / "weights.safetensors"
        measured = ("--measurements", runs / "evaluate" / first / "measurements.json")
        out = ("--out", tmp_path / "reports" / "explorer.html")
        run_stage("explore", params, "--weights", weights, *measured, "--seed", "3", *out)
        data = ("--data", shared / "data")
        run_stage("report", params, "--runs", runs, *data, "--out", tmp_path / "reports")
        return tmp_path

    def run_one(params: Path, objective: str, seed: int) -> None:
        name = f"{objective}-{seed}"
        weights = runs / "train" / name / "weights.safetensors"
        data = ("--data", shared / "data")
        seeded = ("--seed", str(seed))
        file = runs / "objectives" / f"{objective}.json"
        out = ("--out", weights.parent)
        run_stage("train", params, "--objective", file, *seeded, *data, *out)
        out = ("--out", runs / "traverse" / name)
        run_stage("traverse", params, "--weights", weights, *seeded, *out)
        judge = ("--judge", runs / "judge" / "weights.safetensors")
        out = ("--out", runs / "evaluate" / name)
        run_stage("evaluate", params, "--weights", weights, *judge, *data, *seeded, *out)

    return run


def leaves(tree: dict) -> list:
    return [
        leaf
        for value in tree.values()
        for leaf in (leaves(value) if isinstance(value, dict) else [value])
    ]


def test_the_seed_decides_what_is_drawn_and_measured_of_the_same_weights(
    pipeline, shared, make_params
):
    # Weights so large that images differ.
    folder = pipeline({"objectives": ["gan"], "seeds": [3], "networks.init_std": 0.5})
    params, weights = folder / "params.yaml", folder / "runs/train/gan-3/weights.safetensors"
    judge = shared / "judge" / "weights.safetensors"
    files = ("runs/traverse/gan-3/c1.npy", "runs/evaluate/gan-3/measurements.json")
    before = [(folder / file).read_bytes() for file in files]
    for seed, same in (("3", True), ("4", False)):
        options = ("--weights", weights, "--seed", seed, "--out")
        run_stage("traverse", params, *options, folder / "runs/traverse/gan-3")
        of_data = ("--judge", judge, "--data", shared / "data")
        run_stage("evaluate", params, *of_data, *options, folder / "runs/evaluate/gan-3")
        after = [(folder / file).read_bytes() for file in files]
        assert [b == a for b, a in zip(before, after, strict=True)] == [same, same]


def with_split_like(packed: Path, target: Path, **labels: int) -> Path:
    """A copy of packed digits in which all images of some splits have one label."""
    target.mkdir()
    for split in SPLITS:
        arrays = load_file(split_path(packed, split))
        if split in labels:
            arrays["labels"] = np.full_like(arrays["labels"], labels[split])
        contents = packed_contents(lookup("digits"), split, arrays)
        save_file(arrays, split_path(target, split), contents)
    return target


def test_the_judge_learns_from_training_images_and_is_tested_on_test_images(
    tmp_path, shared, make_params
):
    params = write_params(tmp_path, make_params, {"judge.num_epochs": 3})
    found = {}
    for split in SPLITS:
        data = with_split_like(shared / "data", tmp_path / split, **{split: 4})
        run_stage("judge", params, "--data", data, "--out", tmp_path / f"{split}-judge")
        found[split] = json.loads((tmp_path / f"{split}-judge" / "metrics.json").read_text())
    # Who has only seen 4s says 4 of everything; who has learned digits knows which 4s are none.
    assert found["train"]["accuracy_test"] == pytest.approx(0.1, abs=0.03)
    assert found["test"]["accuracy_test"] == pytest.approx(0.1, abs=0.06)
    assert found["test"]["num_test"] == 360
    assert found["test"]["frechet_floor"] > 1e-3  # of test from training images: no distance is 0


def test_a_training_reads_the_training_images_alone(tmp_path, pipeline, shared, make_params):
    folder = pipeline({"objectives": ["gan"], "seeds": [3]})
    data = tmp_path / "data"
    data.mkdir()
    copyfile(split_path(shared / "data", "train"), split_path(data, "train"))
    split_path(data, "test").write_bytes(b"unread")
    again = tmp_path / "again" / "gan-3"
    objective = folder / "runs/objectives/gan.json"
    options = ("--objective", objective, "--seed", "3", "--data", data, "--out", again)
    run_stage("train", folder / "params.yaml", *options)
    before = folder / "runs/train/gan-3/weights.safetensors"
    assert (again / "weights.safetensors").read_bytes() == before.read_bytes()


def test_the_report_shows_real_test_images(pipeline, shared, tmp_path):
    folder = pipeline({"objectives": ["gan"], "seeds": [3]})
    data = tmp_path / "data"
    data.mkdir()
    copyfile(split_path(shared / "data", "test"), split_path(data, "test"))
    options = ("--runs", folder / "runs", "--data", data, "--out", tmp_path / "again")
    run_stage("report", folder / "params.yaml", *options)
    before = folder / "reports" / "figures" / "samples.png"
    assert (tmp_path / "again" / "figures" / "samples.png").read_bytes() == before.read_bytes()


def test_the_test_images_are_those_that_are_counted(pipeline):
    folder = pipeline({"objectives": ["gan"], "seeds": [3]})
    record = json.loads((folder / "runs/evaluate/gan-3/measurements.json").read_text())
    assert sum(map(sum, record["contingency"])) == 360  # of 1,437 training images, 100 fit the map
    assert len(record["category_to_class"]) == 10


@pytest.mark.parametrize("changes", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_reaches_the_report(pipeline, make_params, changes):
    folder = pipeline(changes)
    layout = make_params(TINY | changes).codes
    metrics = json.loads((folder / "reports" / "metrics.json").read_text())

    assert all(math.isfinite(value) for value in leaves(metrics))
    assert set(metrics) == {"infogan", "gan", "judge"}
    assert ("accuracy_matched" in metrics["infogan"]) == bool(layout.categorical)
    assert ("bound_cat_nats" in metrics["infogan"]) == bool(layout.categorical)
    assert ("bound_cont_nats" in metrics["infogan"]) == bool(layout.continuous)
    # A single continuous code plays the role that it fits best; the other is left without.
    record = json.loads((folder / "runs/evaluate/infogan-3/measurements.json").read_text())
    assert len(record["roles"]) == min(2, layout.continuous)
    left = {"slant", "width"} - set(record["roles"]) if layout.continuous else set()
    assert all(metrics["infogan"][f"{name}_spearman"] == 0 for name in left)

    traverse = folder / "runs" / "traverse" / "infogan-3"
    for index, name in enumerate(layout.names):
        categorical = index < len(layout.categorical)
        columns = layout.categorical[index] if categorical else 4
        assert np.load(traverse / f"{name}.npy").shape == (2, columns, 1, 28, 28)
        assert (traverse / f"{name}.png").read_bytes().startswith(b"\x89PNG")

    text = (folder / "reports" / "results.md").read_text()
    figures = {path.stem for path in (folder / "reports" / "figures").glob("*.png")}
    assert figures == set(re.findall(r"\]\(figures/(\w+)\.png\)", text))
    assert figures == {path.stem for path in (folder / "reports" / "vector").glob("*.svg")}
    results = (folder / "reports" / "index.html").read_text()
    assert figures == set(re.findall(r'src="vector/(\w+)\.svg"', results))
    assert ("figure_1" in figures) == bool(layout.categorical)
    assert {"figure_2", "film", "losses", "samples"} <= figures
    page = (folder / "reports" / "explorer.html").read_text()
    assert all(f'"{name}"' in page for name in layout.names)
    assert "{{" not in page.split("<script>")[0]


def test_the_conditional_gan_reaches_the_report_beside_the_others(pipeline):
    folder = pipeline({"objectives": ["infogan", "gan", "cgan"]})
    metrics = json.loads((folder / "reports" / "metrics.json").read_text())
    assert set(metrics["cgan"]) == set(metrics["infogan"])
    assert "| cgan |" in (folder / "reports" / "results.md").read_text()


def test_two_seeds_give_a_spread_and_a_picture_of_both(pipeline):
    folder = pipeline({"seeds": [3, 5], "objectives": ["infogan"]})
    metrics = json.loads((folder / "reports" / "metrics.json").read_text())
    singles = [
        json.loads((folder / f"runs/evaluate/infogan-{seed}/measurements.json").read_text())
        for seed in (3, 5)
    ]
    values = [single["metrics"]["nmi"] for single in singles]
    assert metrics["infogan"]["nmi"] == pytest.approx(np.mean(values))
    assert metrics["infogan"]["nmi_std"] == pytest.approx(np.std(values, ddof=1))
    assert "gan" not in metrics
    assert (folder / "reports" / "figures" / "seeds_infogan.png").is_file()
    weights = [folder / "runs/train" / f"infogan-{seed}" / "weights.safetensors" for seed in (3, 5)]
    assert weights[0].read_bytes() != weights[1].read_bytes()


def test_the_same_seed_gives_the_same_bytes_in_every_stage(pipeline):
    def contents(folder: Path) -> dict[str, bytes]:
        files = [*folder.glob("runs/*/*/**/*"), *folder.glob("reports/**/*")]
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(files)
            if path.is_file() and "judge" not in path.parts
        }

    first = contents(pipeline({"objectives": ["infogan"]}))
    again = contents(pipeline({"objectives": ["infogan"]}))
    assert len(first) > 15
    assert [name for name in first if first[name] != again.get(name)] == []


def test_the_log_holds_means_at_each_interval(pipeline):
    folder = pipeline({"objectives": ["infogan"], "num_steps": 5})
    log = folder / "runs/train/infogan-3/plots/metrics/bound_cat_nats.tsv"
    assert [line.split("\t")[0] for line in log.read_text().splitlines()] == ["step", "2", "4", "5"]
    live = json.loads((folder / "runs/train/infogan-3/metrics.json").read_text())
    assert live["step"] == 5
    assert set(live) == {
        *("step", "discriminator_loss", "generator_loss", "bound_cat_nats", "bound_cont_nats")
    }


def test_curves_have_one_column_per_objective_and_quantity(pipeline):
    folder = pipeline({})
    header, *rows = (folder / "reports" / "curves.csv").read_text().splitlines()
    assert header.startswith("step,infogan_")
    assert "gan_bound_cat_nats" in header.split(",")
    assert [row.split(",")[0] for row in rows] == ["2", "4"]


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_training_reads_no_label(shared, tmp_path, make_params, monkeypatch, weight):
    def refuse(*arguments):
        raise AssertionError("labels were read")

    monkeypatch.setattr("stages.train.load_split", refuse)
    weights = {"lambda_information": weight, "lambda_consistency": weight}
    params = write_params(tmp_path, make_params, weights)
    run_stage("objectives", params, "--out", tmp_path / "objectives")
    objective = ("--objective", tmp_path / "objectives" / "infogan.json", "--seed", "0")
    run_stage("train", params, *objective, "--data", shared / "data", "--out", tmp_path / "run")
    assert (tmp_path / "run" / "weights.safetensors").is_file()


def test_weights_of_another_layout_are_refused_and_nothing_is_written(
    pipeline, shared, make_params
):
    folder = pipeline({"objectives": ["infogan"]})
    params = write_params(folder, make_params, {"codes.categorical": [12]})
    weights = folder / "runs/train/infogan-3/weights.safetensors"
    out = folder / "elsewhere"
    with pytest.raises(InfoGANError, match=r"codes.categorical = \[10\], expected \[12\]"):
        run_stage("traverse", params, "--weights", weights, "--seed", "3", "--out", out)
    assert not out.exists()


def test_bad_parameters_end_in_one_line_and_leave_results_alone(tmp_path, make_params):
    params = write_params(tmp_path, make_params, {})
    params.write_text(params.read_text().replace("num_steps: 4", "num_steps: 0"))
    (tmp_path / "weights.safetensors").write_text("earlier result")
    command = [sys.executable, "-m", "stages.train", "--params", str(params), "--seed", "0"]
    command += ["--objective", "x.json", "--data", str(tmp_path), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    message = f"error: {params}: num_steps = 0: expected greater than or equal to 1\n"
    assert done.stderr == message
    assert (tmp_path / "weights.safetensors").read_text() == "earlier result"


@pytest.mark.parametrize(
    "stage",
    [
        *("download", "objectives", "judge", "train"),
        *("traverse", "evaluate", "explore", "report"),
    ],
)
def test_help_explains_every_option(stage):
    parser = importlib.import_module(f"stages.{stage}").parser()
    assert parser.description
    assert all(action.help for action in parser._actions)
