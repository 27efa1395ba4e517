"""Every stage in a row on scikit-learn's digits, for layouts with and without each kind of code."""

import importlib
import json
import math
import re
from itertools import product
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from infogan.base.dataset import SPLITS
from infogan.base.splits import packed_contents, split_path
from infogan.datasets import lookup
from infogan.params import load_params
from infogan.report.figures import STYLE

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

# The paper's is that of `whole`.
LAYOUTS = {
    "the paper's": {},
    "fewer categories than classes, three continuous codes": {
        "codes.categorical": [4, 2],
        "codes.continuous": 3,
    },
    "no categorical code": {"codes.categorical": [], "codes.continuous": 1},
    "more categories than classes, no continuous code": {
        "codes.categorical": [12],
        "codes.continuous": 0,
    },
}
DPI = 40  # of the pictures that tests draw
WHOLE = {
    "num_steps": 5,
    "objectives": ["infogan", "gan", "cgan"],
    "lambda_information": 0.5,
    "lambda_consistency": 0.5,
    "networks.init_std": 0.5,  # so large that images differ
}


def run_stage(name: str, params: Path, *options: str | Path) -> None:
    """One stage in this process, as its command line would run it, but for smaller pictures."""
    stage = importlib.import_module(f"stages.{name}")
    arguments = ["--params", str(params), *map(str, options)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STYLE, "figure.dpi", DPI)
        stage.main(stage.parser().parse_args(arguments))


def write_params(folder: Path, make_params, changes: dict) -> Path:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(make_params(TINY | changes).model_dump()))
    return path


@pytest.fixture(autouse=True)
def resume_elsewhere(tmp_path, monkeypatch) -> None:
    """Leave the repository's own unfinished trainings alone."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.fixture(scope="module")
def shared(tmp_path_factory, make_params) -> Path:
    """Packed digits and a classifier of them."""
    folder = tmp_path_factory.mktemp("shared")
    params = write_params(folder, make_params, {})
    run_stage("download", params, "--out", folder / "data", "--raw", folder / "raw")
    run_stage("judge", params, "--data", folder / "data", "--out", folder / "judge")
    return folder


def run_stages(params: Path, folder: Path, packed: Path, images: Path | None = None) -> None:
    """All stages on packed data, the judge's if need be; training reads `images`."""
    values, runs, data = load_params(params), folder / "runs", ("--data", packed)
    run_stage("objectives", params, "--out", runs / "objectives")
    if not (runs / "judge").exists():
        run_stage("judge", params, *data, "--out", runs / "judge")
    judge = ("--judge", runs / "judge" / "weights.safetensors")
    explorer = ("--out", folder / "reports" / "explorer.html")
    for objective, seed in product(values.objectives, values.seeds):
        name, seeded = f"{objective}-{seed}", ("--seed", str(seed))
        trained, evaluated = runs / "train" / name, runs / "evaluate" / name
        file = ("--objective", runs / "objectives" / f"{objective}.json")
        seen = ("--data", images or packed)
        run_stage("train", params, *file, *seeded, *seen, "--out", trained)
        weights = ("--weights", trained / "weights.safetensors", *seeded)
        run_stage("traverse", params, *weights, "--out", runs / "traverse" / name)
        run_stage("evaluate", params, *weights, *judge, *data, "--out", evaluated)
        if not explorer[1].exists():
            measured = ("--measurements", evaluated / "measurements.json")
            run_stage("explore", params, *weights, *measured, *explorer)
    run_stage("report", params, "--runs", runs, *data, "--out", folder / "reports")


@pytest.fixture(scope="module")
def pipeline(shared, make_params):
    """All stages after the judge, for some changes of the parameters; returns their folder."""

    def run(folder: Path, changes: dict, images: Path | None = None) -> Path:
        (folder / "runs").mkdir()
        (folder / "runs" / "judge").symlink_to(shared / "judge")
        run_stages(write_params(folder, make_params, changes), folder, shared / "data", images)
        return folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(shared))
        yield run


@pytest.fixture(scope="module")
def whole(pipeline, tmp_path_factory) -> Path:
    """All objectives with the paper's layout."""
    return pipeline(tmp_path_factory.mktemp("whole"), WHOLE)


def contents(folder: Path) -> dict[str, bytes]:
    """The files in a folder, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def split_alone(shared: Path, target: Path, split: str) -> Path:
    """Packed digits of which the other split cannot be read, nor this one's labels."""
    target.mkdir()
    for each in SPLITS:
        split_path(target, each).write_bytes(b"unread")
    whole = split_path(shared / "data", split).read_bytes()
    split_path(target, split).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    return target


def leaves(tree: dict) -> list:
    return [
        leaf
        for value in tree.values()
        for leaf in (leaves(value) if isinstance(value, dict) else [value])
    ]


def test_the_seed_decides_what_is_drawn_and_measured_of_the_same_weights(whole, shared, tmp_path):
    params = whole / "params.yaml"
    options = ("--weights", whole / "runs/train/gan-3/weights.safetensors", "--seed", "4")
    of_data = ("--judge", shared / "judge" / "weights.safetensors", "--data", shared / "data")
    run_stage("traverse", params, *options, "--out", tmp_path / "traverse")
    run_stage("evaluate", params, *of_data, *options, "--out", tmp_path / "evaluate")
    for file in ("traverse/{}c1.npy", "evaluate/{}measurements.json"):
        before = (whole / "runs" / file.format("gan-3/")).read_bytes()
        assert (tmp_path / file.format("")).read_bytes() != before


def test_the_judge_learns_from_training_images_and_is_tested_on_test_images(
    tmp_path, shared, make_params
):
    params = write_params(tmp_path, make_params, {"judge.num_epochs": 3})
    found = {}
    for split in SPLITS:
        data = copytree(shared / "data", tmp_path / split)
        arrays = load_file(split_path(data, split))
        arrays["labels"] = np.full_like(arrays["labels"], 4)
        described = packed_contents(lookup("digits"), split, arrays)
        save_file(arrays, split_path(data, split), described)
        run_stage("judge", params, "--data", data, "--out", tmp_path / f"{split}-judge")
        found[split] = json.loads((tmp_path / f"{split}-judge" / "metrics.json").read_text())
    # Who has only seen 4s says 4 of everything; who has learned digits knows which 4s are none.
    assert found["train"]["accuracy_test"] == pytest.approx(0.1, abs=0.03)
    assert found["test"]["accuracy_test"] == pytest.approx(0.1, abs=0.06)
    assert found["test"]["num_test"] == 360
    assert found["test"]["frechet_floor"] > 1e-3  # of test from training images: no distance is 0


def test_the_report_shows_real_test_images_and_gives_the_same_bytes_again(whole, shared, tmp_path):
    data = split_alone(shared, tmp_path / "data", "test")
    options = ("--runs", whole / "runs", "--data", data, "--out", tmp_path / "again")
    run_stage("report", whole / "params.yaml", *options)
    before = contents(whole / "reports")
    del before["explorer.html"]
    assert contents(tmp_path / "again") == before


@pytest.mark.parametrize("changes", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_reaches_the_report(whole, pipeline, make_params, tmp_path, changes):
    alone = changes | {"objectives": ["infogan"]}
    folder = pipeline(tmp_path, alone) if changes else whole
    layout = make_params(TINY | changes).codes
    metrics = json.loads((folder / "reports" / "metrics.json").read_text())

    assert all(math.isfinite(value) for value in leaves(metrics))
    assert set(metrics) == {*(alone if changes else WHOLE)["objectives"], "judge"}
    assert ("accuracy_matched" in metrics["infogan"]) == bool(layout.categorical)
    assert ("bound_cat_nats" in metrics["infogan"]) == bool(layout.categorical)
    assert ("bound_cont_nats" in metrics["infogan"]) == bool(layout.continuous)
    # A single continuous code plays the role that it fits best; the other is left without.
    record = json.loads((folder / "runs/evaluate/infogan-3/measurements.json").read_text())
    assert len(record["roles"]) == min(2, layout.continuous)
    if layout.categorical:  # the test images are counted
        assert sum(map(sum, record["contingency"])) == 360
        assert len(record["category_to_class"]) == layout.categorical[0]
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


def test_the_conditional_gan_reaches_the_report_beside_the_others(whole):
    metrics = json.loads((whole / "reports" / "metrics.json").read_text())
    assert set(metrics["cgan"]) == set(metrics["infogan"])
    assert "| cgan |" in (whole / "reports" / "results.md").read_text()


@pytest.fixture(scope="module")
def two_seeds(pipeline, shared, tmp_path_factory) -> Path:
    """The first objective of `whole` again, and with another seed, from training images alone."""
    folder = tmp_path_factory.mktemp("two")
    images = split_alone(shared, folder / "images", "train")
    return pipeline(folder, WHOLE | {"objectives": ["infogan"], "seeds": [3, 5]}, images)


def test_only_the_same_seed_gives_the_same_bytes_and_only_training_images_train(whole, two_seeds):
    for place in ("train", "traverse", "evaluate"):
        first, again = (
            contents(folder / "runs" / place / "infogan-3") for folder in (whole, two_seeds)
        )
        assert first
        assert first == again
    other = (two_seeds / "runs/train/infogan-5/weights.safetensors").read_bytes()
    assert other != (whole / "runs/train/infogan-3/weights.safetensors").read_bytes()
    pages = [(folder / "reports/explorer.html").read_bytes() for folder in (whole, two_seeds)]
    assert pages[0] == pages[1]


def test_of_several_seeds_the_report_has_the_spread_and_their_pictures(two_seeds):
    metrics = json.loads((two_seeds / "reports" / "metrics.json").read_text())["infogan"]
    assert {"nmi", "nmi_std"} <= set(metrics)
    assert (two_seeds / "reports" / "figures" / "seeds_infogan.png").is_file()


def test_curves_have_one_column_per_objective_and_quantity(whole):
    header, *rows = (whole / "reports" / "curves.csv").read_text().splitlines()
    assert header.startswith("step,infogan_")
    assert "gan_bound_cat_nats" in header.split(",")
    assert [row.split(",")[0] for row in rows] == ["2", "4", "5"]
