"""A trained run as a notebook uses it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import infogan
from infogan.base.errors import InfoGANError
from infogan.base.files import load_array
from infogan.base.images import scale
from infogan.params import load_params
from tests.stages.test_stages import run_stage, write_params

SEED = 3


def train_a_run(folder: Path, make_params, changes: dict) -> Path:
    """Make a project with params.yaml, data/packed and a run of a few steps; the run's folder."""
    params = write_params(folder, make_params, changes)
    data, run = folder / "data" / "packed", folder / "runs" / "train" / f"infogan-{SEED}"
    objectives, seed = folder / "runs" / "objectives", ("--seed", str(SEED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        run_stage("download", params, "--out", data, "--raw", folder / "raw")
        run_stage("objectives", params, "--out", objectives)
        objective = ("--objective", objectives / "infogan.json")
        run_stage("train", params, *objective, *seed, "--data", data, "--out", run)
    weights, grids = run / "weights.safetensors", folder / "runs" / "traverse"
    run_stage("traverse", params, "--weights", weights, *seed, "--out", grids)
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_params) -> Path:
    # Weights so large that images differ visibly after few steps.
    changes = {"codes.categorical": [5, 3], "networks.init_std": 0.3}
    return train_a_run(tmp_path_factory.mktemp("project"), make_params, changes)


@pytest.fixture(scope="module")
def run(folder):
    return infogan.load(folder)


def test_a_run_says_what_it_is_whether_its_folder_is_a_path_or_text(run, folder, monkeypatch):
    assert repr(run) == "infogan-3 on digits: c1 (5 categories), c2 (3 categories), c3, c4"
    monkeypatch.chdir(folder.parent)
    for same in (str(folder), "infogan-3", Path("infogan-3")):
        again = infogan.load(same)
        assert repr(again) == repr(run)
        assert np.array_equal(again.sample(2), run.sample(2))


def test_parameters_are_the_nearest_or_those_that_are_named(folder, tmp_path):
    copy = tmp_path / "elsewhere" / "run"
    shutil.copytree(folder, copy)
    with pytest.raises(InfoGANError, match=rf"^{copy}: no params.yaml .* load\(folder, params\)$"):
        infogan.load(copy)
    params = folder.parents[2] / "params.yaml"
    for named in (params, str(params)):
        assert infogan.load(copy, named).params == load_params(params)
    text = params.read_text()
    (tmp_path / "params.yaml").write_text(text.replace("rows: 2", "rows: 7"))
    assert infogan.load(copy).params.traverse.rows == 7
    (copy / "params.yaml").write_text(text.replace("rows: 2", "rows: 6"))
    assert infogan.load(copy).params.traverse.rows == 6


def test_samples_derive_from_their_seed_and_leave_torchs_own_stream_alone(run):
    state = torch.get_rng_state()
    images = run.sample(7, seed=1)
    assert images.shape == (7, 1, 28, 28)
    assert images.dtype == np.uint8
    assert np.array_equal(images, run.sample(7, seed=1))
    assert not np.array_equal(images, run.sample(7, seed=2))
    assert torch.equal(state, torch.get_rng_state())


def test_traversals_with_the_runs_seed_are_those_of_the_stage(run, folder):
    for code in ("c1", "c2", "c3", "c4"):
        grid = load_array(folder.parents[1] / "traverse" / f"{code}.npy")
        assert grid.std(axis=1).any()
        assert np.array_equal(run.traverse(code, seed=SEED), grid)


def test_a_traversal_takes_other_values_and_as_many_rows_as_asked(run):
    grid = run.traverse("c4", values=[-2.0, 2.0, 0.5], rows=4)
    assert grid.shape == (4, 3, 1, 28, 28)
    swapped = run.traverse("c4", values=np.array([0.5, -2.0]), rows=4)
    assert np.array_equal(grid[:, [2, 0]], swapped)
    assert not np.array_equal(grid[:, 0], grid[:, 1])


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda run: run.sample(0), "num: expected at least 1, not 0"),
        (lambda run: run.traverse("c1", rows=-1), "rows: expected at least 1, not -1"),
        (lambda run: run.traverse("c3", values=[]), "values: expected at least 1, not 0"),
        (lambda run: run.traverse("c5"), "no code 'c5': this run has c1, c2, c3, c4"),
        (lambda run: run.traverse("c2", values=[1.0]), "c2 is categorical and takes all its"),
    ],
)
def test_what_a_run_cannot_draw_is_refused(run, ask, said):
    with pytest.raises(InfoGANError, match=f"^{said}"):
        ask(run)


def test_a_reading_is_qs_answer_by_the_names_of_the_codes(run):
    images = run.traverse("c1", rows=2)
    reading = run.recognise(images)
    assert [(name, p.shape) for name, p in reading.probabilities.items()] == [
        ("c1", (2, 5, 5)),
        ("c2", (2, 5, 3)),
    ]
    with torch.inference_mode():
        pixels = torch.from_numpy(images[1, :3])
        output = run.discriminator.recognise(scale(pixels, (0.0, 1.0))).numpy()
    exps = np.exp(output[:, 5:8])
    expected = exps / exps.sum(axis=1, keepdims=True)
    assert reading.probabilities["c2"][1, :3] == pytest.approx(expected, abs=1e-5)
    for index, code in enumerate(("c3", "c4")):
        assert reading.mean[code][1, :3] == pytest.approx(output[:, 8 + index], abs=1e-5)
        assert (reading.std[code] == 1).all()  # as the layout says; Q's own is untrained
    codes = run.params.codes.model_copy(update={"continuous_std": "learned"})
    learned = replace(run, params=run.params.model_copy(update={"codes": codes}))
    std = learned.recognise(images[1, :3]).std["c4"]
    assert std == pytest.approx(np.exp(output[:, 11]), abs=1e-5)


def test_one_image_and_images_in_torch_are_read_alike(run):
    images = run.sample(3)
    together = run.recognise(torch.from_numpy(images)).mean["c3"]
    assert together.shape == (3,)
    alone = run.recognise(images[2]).mean["c3"]
    assert alone.shape == ()
    assert alone == pytest.approx(together[2], abs=1e-5)


@pytest.mark.parametrize(
    ("images", "named"),
    [
        (np.zeros((2, 1, 28, 28)), r"float64 of shape \[2, 1, 28, 28\]"),
        (np.zeros((2, 1, 14, 28), np.uint8), r"uint8 of shape \[2, 1, 14, 28\]"),
        (np.zeros((28, 28), np.uint8), r"uint8 of shape \[28, 28\]"),
        (np.zeros((0, 1, 28, 28), np.uint8), r"uint8 of shape \[0, 1, 28, 28\]"),
    ],
)
def test_images_that_q_cannot_read_are_refused(run, images, named):
    expected = r"expected at least one, uint8 and of shape \[..., 1, 28, 28\]"
    with pytest.raises(InfoGANError, match=rf"^images are {named}; {expected}$"):
        run.recognise(images)


def test_a_picture_shows_a_grid_as_it_stands_and_other_images_in_rows_of_ten():
    grid = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 1, 4, 5)
    assert infogan.picture(grid).size == (3 * 5 + 2 * 2, 2 * 4 + 2)
    rows = np.asarray(infogan.picture(torch.from_numpy(grid[0].repeat(4, axis=0))))
    assert rows.shape == (2 * 4 + 2, 10 * 5 + 9 * 2)
    assert np.array_equal(rows[:4, 7:12], grid[0, 0, 0])
    assert np.array_equal(rows[6:, :5], grid[0, 2, 0])
    assert (rows[6:, 14:] == 255).all()
    assert np.array_equal(np.asarray(infogan.picture(grid[1, 2])), grid[1, 2, 0])
    with pytest.raises(InfoGANError, match=r"\[..., channel, height, width\]"):
        infogan.picture(grid / 255)
