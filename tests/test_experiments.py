"""Every preset, from raw files in the true format to the report and the explorer."""

import json
import math
from dataclasses import replace

import pytest
import yaml

from infogan.base.errors import InfoGANError
from infogan.datasets import lookup
from infogan.download.packing import prepare
from infogan.params import load_params
from tests.conftest import REPOSITORY, load_preset
from tests.miniatures import NUM, WRITERS, write_faces
from tests.stages.test_stages import leaves, run_stages
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
# Appendix C of the paper: noise, categories, continuous codes, learning rates of D and G, lambdas
# of the categorical and the continuous codes, where there are any.
PAPER = {
    "svhn": (124, (10,) * 4, 4, 2e-4, 1e-3, 1, 1),
    "celeba": (128, (10,) * 10, 0, 2e-4, 1e-3, 1, None),
    "faces_azimuth": (128, (), 5, 2e-4, 5e-4, None, 0.2),
    "faces_elevation": (128, (), 5, 4e-4, 3e-4, None, 0.1),
    "faces_lighting": (128, (), 5, 8e-4, 3e-4, None, 0.1),
    "chairs_rotation": (128, (20,) * 3, 1, 2e-4, 1e-3, 1, 10),
    "chairs_width": (128, (20,) * 3, 1, 2e-4, 1e-3, 2, 0.05),
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


@pytest.mark.parametrize(
    ("preset", "dataset"),
    [(name, DATA.get(name, load_preset(name).dataset)) for name in PRESETS if name not in ALIKE],
)
def test_every_kind_of_preset_reaches_the_report(tmp_path, monkeypatch, miniature, preset, dataset):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    params = small_params(tmp_path, preset, dataset)
    (tmp_path / "raw" / dataset).mkdir(parents=True)
    WRITERS[dataset](tmp_path / "raw" / dataset)
    prepare(dataset, tmp_path / "raw", tmp_path / "data")
    run_stages(params, tmp_path, tmp_path / "data")

    data_set, layout = lookup(dataset), load_params(params).codes
    reports = tmp_path / "reports"
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
    assert ('"digits": true' in (reports / "explorer.html").read_text()) == data_set.shows_strokes
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
    codes, training = params.codes, params.training
    ours = (
        *(codes.noise, codes.categorical, codes.continuous),
        *(training.discriminator_lr, training.generator_lr),
        *(params.lambda_disc, params.lambda_cont),
    )
    for value, papers in zip(ours, PAPER[preset], strict=True):
        assert papers in (None, value)


# Packing.


def test_a_table_of_renders_out_of_range_or_too_short_is_refused(tmp_path, miniature):
    folder = tmp_path / "raw" / "faces"
    folder.mkdir(parents=True)
    write_faces(folder)
    table = (folder / "faces.csv").read_text()
    for changed, reason in (
        (table.replace("renders/1.png,", "renders/1.png,9").replace(",9-", ",9"), "azimuth from"),
        ("\n".join(table.splitlines()[:5]), "too few raw images to set one in 10 aside"),
    ):
        (folder / "faces.csv").write_text(changed)
        with pytest.raises(InfoGANError, match=reason):
            prepare("faces", tmp_path / "raw", tmp_path / "out")
        assert not (tmp_path / "out").exists()
