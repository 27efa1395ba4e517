"""Every preset, from raw files in the true format to the report and the explorer."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import yaml
from torch import nn

from infogan.base.errors import InfoGANError
from infogan.base.packed import load_factors, load_split
from infogan.datasets import lookup, names
from infogan.download.packing import prepare
from infogan.method.networks import TABLES
from infogan.params import load_params
from tests.conftest import REPOSITORY, load_preset
from tests.layouts import code_layout
from tests.miniatures import NUM, WRITERS, write_chairs, write_faces
from tests.stages.test_stages import leaves, run_stage
from tests.toy_data import register

PRESETS = sorted({path.stem for path in (REPOSITORY / "presets").glob("*.yaml")} - {"demo"})
SMALL = {
    "num_steps": 2,
    "objectives": ["infogan"],
    "networks": {"width": 0.05},
    "training": {"batch_size": 8, "held_out_images": 0, "log_every": 1, "film_frames": 2},
    "traverse": {"rows": 2, "columns": 3},
    "judge": {"num_epochs": 1, "batch_size": 8},
    "evaluate": {"num_samples": 100, "refit_steps": 1, "num_trajectories": 2},
    "runtime": {"device": "cpu", "precision": "float32", "threads": 1},
}
# The paper's appendix C: codes, what G gets, learning rates of D and G, and lambdas of the
# categorical and the continuous codes, where there are any.
PAPER = {
    "svhn": (code_layout(124, (10,) * 4, 4), 168, 2e-4, 1e-3, 1, 1),
    "celeba": (code_layout(128, (10,) * 10, 0), 228, 2e-4, 1e-3, 1, None),
    "faces_azimuth": (code_layout(128, (), 5), 133, 2e-4, 5e-4, None, 0.2),
    "faces_elevation": (code_layout(128, (), 5), 133, 4e-4, 3e-4, None, 0.1),
    "faces_lighting": (code_layout(128, (), 5), 133, 8e-4, 3e-4, None, 0.1),
    "chairs_rotation": (code_layout(128, (20,) * 3, 1), 189, 2e-4, 1e-3, 1, 10),
    "chairs_width": (code_layout(128, (20,) * 3, 1), 189, 2e-4, 1e-3, 2, 0.05),
}
# Of one of the two stand-ins, the paper's own data: of its factors one is circular, one has two
# values.
DATA = {"chairs_rotation": "chairs"}
# These differ from one that is run in weights, rates and switches alone; fig1 in its layout, which
# tests/stages has.
ALIKE = {
    *("faces_elevation", "faces_lighting", "chairs_width"),
    *("fig1", "real_images", "release"),
}


@pytest.fixture
def miniature(monkeypatch):
    """Data sets of a few images, whose raw files need no checksum."""
    for name in WRITERS:
        data_set = lookup(name)
        files = dict.fromkeys(data_set.files)
        sizes = {} if files else dict(NUM)
        register(monkeypatch, name, replace(data_set, files=files, sources=(), split_sizes=sizes))


def small_params(folder, preset, dataset):
    values = load_preset(preset).model_dump(mode="json")
    for key, value in SMALL.items():
        values[key] = values[key] | value if isinstance(value, dict) else value
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(values | {"dataset": dataset}))
    return path


def pack(name, folder):
    (folder / "raw" / name).mkdir(parents=True)
    WRITERS[name](folder / "raw" / name)
    prepare(name, folder / "raw", folder / "data")


@pytest.mark.parametrize(
    ("preset", "dataset"),
    [(name, DATA.get(name, load_preset(name).dataset)) for name in PRESETS if name not in ALIKE],
)
def test_every_kind_of_preset_reaches_the_report(tmp_path, monkeypatch, miniature, preset, dataset):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    params = small_params(tmp_path, preset, dataset)
    pack(dataset, tmp_path)
    data, runs = ("--data", tmp_path / "data"), tmp_path / "runs"
    run_stage("objectives", params, "--out", runs / "objectives")
    run_stage("judge", params, *data, "--out", runs / "judge")
    out, seeded = runs / "train" / "infogan-0", ("--seed", "0")
    objective = ("--objective", runs / "objectives" / "infogan.json")
    run_stage("train", params, *objective, *seeded, *data, "--out", out)
    weights = ("--weights", out / "weights.safetensors")
    traverse, evaluate = runs / "traverse" / "infogan-0", runs / "evaluate" / "infogan-0"
    run_stage("traverse", params, *weights, *seeded, "--out", traverse)
    judge = ("--judge", runs / "judge" / "weights.safetensors")
    run_stage("evaluate", params, *weights, *judge, *data, *seeded, "--out", evaluate)
    measured = ("--measurements", evaluate / "measurements.json")
    reports = tmp_path / "reports"
    page = ("--out", reports / "explorer.html")
    run_stage("explore", params, *weights, *measured, *seeded, *page)
    run_stage("report", params, "--runs", runs, *data, "--out", reports)

    data_set, layout = lookup(dataset), load_params(params).codes
    metrics = json.loads((reports / "metrics.json").read_text())
    assert all(math.isfinite(value) for value in leaves(metrics))
    measured = metrics["infogan"]
    for factor in data_set.factors:
        assert f"{factor.name}_r2" in metrics["judge"]
        assert (f"{factor.name}_spearman" in measured) == bool(layout.continuous)
        assert (f"{factor.name}_code_r2" in measured) == bool(layout.continuous)
        assert (f"{factor.name}_category_share" in measured) == bool(layout.categorical)
    assert ("accuracy_matched" in measured) == bool(data_set.class_names)
    assert ("luminance_share" in measured) == (dataset in ("svhn", "fashion_mnist"))
    assert ("slant_spearman" in measured) == data_set.shows_strokes
    assert ('"digits": true' in page[1].read_text()) == data_set.shows_strokes
    text = (reports / "results.md").read_text()
    assert (reports / "figures" / f"figure_{data_set.figure}.png").is_file()
    assert ("A stand-in" in text) == bool(data_set.stands_in_for)
    has_claims = dataset not in ("fashion_mnist",)
    assert ("## The paper's claims" in text) == has_claims
    assert ("What the categorical codes decide" in text) == bool(
        data_set.factors and layout.categorical
    )


@pytest.mark.parametrize("preset", PAPER)
def test_presets_have_the_papers_codes_learning_rates_and_lambdas(preset):
    params = load_preset(preset)
    layout, latent_dim, discriminator_lr, generator_lr, lambda_disc, lambda_cont = PAPER[preset]
    for name in ("noise", "categorical", "continuous"):
        assert getattr(params.codes, name) == getattr(layout, name)
    assert params.codes.latent_dim == latent_dim
    assert params.training.discriminator_lr == discriminator_lr
    assert params.training.generator_lr == generator_lr
    assert lambda_disc in (None, params.lambda_disc)
    assert lambda_cont in (None, params.lambda_cont)


@pytest.mark.parametrize("name", names())
def test_images_have_the_shape_and_range_of_their_networks(name):
    data_set = lookup(name)
    table = TABLES[data_set.networks]
    assert data_set.image_shape == table.image_shape
    assert data_set.value_range == {nn.Tanh: (-1, 1), nn.Sigmoid: (0, 1)}[table.output]
    assert bool(data_set.class_names) != bool(data_set.factors)


# Packing.


def test_rendered_data_are_the_same_bytes_again_and_differ_between_splits(tmp_path, miniature):
    for name in ("heads", "seats"):
        first, again = tmp_path / f"{name}-1", tmp_path / f"{name}-2"
        prepare(name, tmp_path, first)
        prepare(name, tmp_path, again)
        for split, num in NUM.items():
            path = f"{split}.safetensors"
            assert (first / path).read_bytes() == (again / path).read_bytes()
            assert len(load_factors(first, lookup(name), split).images) == num
        train, test = (load_factors(first, lookup(name), split) for split in ("train", "test"))
        assert not np.array_equal(train.factors[: len(test.factors)], test.factors)


def test_one_model_of_ten_is_for_testing_with_all_its_views(tmp_path, miniature):
    pack("chairs", tmp_path)
    train, test = (load_factors(tmp_path / "data", lookup("chairs"), s) for s in ("train", "test"))
    assert (len(train.images), len(test.images)) == (36, 4)
    degrees = np.rad2deg(test.factors.numpy())
    expected = [[11, 20], [197 - 360, 20], [11, 30], [348 - 360, 30]]
    np.testing.assert_allclose(degrees, expected, atol=1e-3)


def test_celebas_validation_images_are_left_out(tmp_path, miniature):
    pack("celeba", tmp_path)
    for split, num in NUM.items():
        images, factors = load_factors(tmp_path / "data", lookup("celeba"), split)
        assert images.shape == (num, 3, 32, 32)
        assert factors.shape == (num, 40)
        assert set(factors.flatten().tolist()) == {0.0, 1.0}


def test_svhns_splits_are_those_of_its_files(tmp_path, miniature):
    pack("svhn", tmp_path)
    images, labels = load_split(tmp_path / "data", lookup("svhn"), "test")
    assert images.shape == (NUM["test"], 3, 32, 32)
    assert labels.tolist() == [(i + 1) % 10 for i in range(NUM["test"])]


def refused(name, folder):
    with pytest.raises(InfoGANError) as refusal:
        prepare(name, folder / "raw", folder / "out")
    assert not (folder / "out").exists()
    return str(refusal.value)


def test_a_table_of_renders_without_a_factor_or_out_of_range_is_refused(tmp_path, miniature):
    folder = tmp_path / "raw" / "faces"
    folder.mkdir(parents=True)
    write_faces(folder)
    table = (folder / "faces.csv").read_text()
    (folder / "faces.csv").write_text(table.replace("light", "lamp"))
    assert "no column light; expected file, azimuth, elevation, light" in refused("faces", tmp_path)
    (folder / "faces.csv").write_text(
        table.replace("renders/1.png,", "renders/1.png,9").replace("1.png,9-", "1.png,9")
    )
    assert "azimuth from" in refused("faces", tmp_path)
    (folder / "faces.csv").write_text("\n".join(table.splitlines()[:5]))
    assert "too few raw images to set one in 10 aside" in refused("faces", tmp_path)


def test_other_attributes_are_refused(tmp_path, miniature):
    folder = tmp_path / "raw" / "celeba"
    folder.mkdir(parents=True)
    WRITERS["celeba"](folder)
    path = folder / "list_attr_celeba.txt"
    path.write_text(path.read_text().replace("Smiling", "Frowning"))
    assert "expected CelebA's 40" in refused("celeba", tmp_path)


def test_every_tenth_render_of_a_persons_list_is_for_testing(tmp_path):
    folder = tmp_path / "raw" / "faces"
    folder.mkdir(parents=True)
    write_faces(folder, 40)
    prepare("faces", tmp_path / "raw", tmp_path / "data")
    rows = [line.split(",")[1:] for line in (folder / "faces.csv").read_text().split()[1:]]
    factors = np.array(rows, dtype=np.float32)
    chosen = np.arange(40) % 10 == 9
    for split, rows in (("train", factors[~chosen]), ("test", factors[chosen])):
        loaded = load_factors(tmp_path / "data", lookup("faces"), split)
        np.testing.assert_allclose(loaded.factors.numpy(), rows, atol=1e-6)


@pytest.mark.parametrize("name", ["svhn", "celeba", "chairs", "faces"])
def test_where_no_source_is_reached_the_error_says_what_to_put_where(tmp_path, monkeypatch, name):
    register(monkeypatch, name, replace(lookup(name), sources=()))
    message = refused(name, tmp_path)
    assert f"into {tmp_path / 'raw' / name} and run again" in message
    assert all(file in message for file in lookup(name).files)


def test_a_file_without_a_published_checksum_is_taken_and_said_so(tmp_path):
    folder = tmp_path / "raw" / "chairs"
    folder.mkdir(parents=True)
    write_chairs(folder)
    lines = []
    prepare("chairs", tmp_path / "raw", tmp_path / "out", lines.append)
    assert any("its checksum is not published" in line for line in lines)


# Parameters.


def test_maps_that_would_change_factors_are_refused(tmp_path):
    text = (REPOSITORY / "presets" / "faces_azimuth.yaml").read_text()
    preset = tmp_path / "preset.yaml"
    preset.write_text(text.replace("shear: 0.0", "shear: 0.2"))
    with pytest.raises(InfoGANError, match=r"judge\.shear = 0\.2: expected 0"):
        load_params(REPOSITORY / "params.yaml", preset)
