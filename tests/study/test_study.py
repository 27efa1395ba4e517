import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.harness import changed
from infogan.base.errors import InfoGANError
from infogan.base.files import save_array
from infogan.params import load_params
from infogan.report.grids import grid_image
from study.__main__ import write_report
from study.experiments import Experiment, experiments, load_recipes
from study.git import git, refuse_shallow_clone
from study.records import Record, copy_results, load_records, on_record, same_parameters
from study.report import (
    README_MARKS,
    document,
    draw,
    readme_with_table,
    table,
)
from tests.conftest import load_preset
from tests.imports import ROOT

BASE = ROOT / "params.yaml"


@pytest.fixture
def recipes_of(tmp_path):
    """Reads recipes from a text."""

    def read(text):
        path = tmp_path / "experiments.yaml"
        path.write_text(text)
        return load_recipes(path)

    return read


@pytest.fixture
def experiment_of(recipes_of):
    """The one experiment of a recipe `it`, of seed 7."""

    def read(text):
        (experiment,) = experiments(recipes_of(f"it: {{about: x, seeds: [7], {text}}}"), BASE)
        return experiment

    return read


def test_a_recipe_with_a_preset_becomes_exactly_that_preset(experiment_of):
    overrides = experiment_of(f"preset: {ROOT}/presets/paper.yaml").overrides
    expected = load_preset("paper").model_copy(update={"seeds": [7], "objectives": ["infogan"]})
    assert overrides.pop("judge.weights") == "study/judges/mnist.safetensors"
    assert changed(load_params(BASE), overrides) == expected


def test_the_default_changes_nothing_but_seed_and_objective(experiment_of):
    experiment = experiment_of("")
    judge = "study/judges/mnist.safetensors"
    expected = {"seeds": [7], "objectives": ["infogan"], "judge.weights": judge}
    assert experiment.overrides == expected
    assert {'objectives=["infogan"]', "seeds=[7]"} <= set(experiment.options)


def test_what_is_set_comes_on_top_and_a_data_set_without_a_kept_judge_trains_one(experiment_of):
    experiment = experiment_of("set: {codes.noise: 5, lambda_cont: 0.25, dataset: fashion_mnist}")
    assert experiment.overrides["codes.noise"] == 5
    assert experiment.overrides["lambda_cont"] == 0.25
    assert experiment.parameters["judge.weights"] == ""


def test_the_first_seed_of_every_recipe_comes_before_any_second(recipes_of):
    text = "a: {about: x, seeds: [4, 2]}\nb: {about: y, objective: gan, seeds: [0, 1]}"
    names = [experiment.name for experiment in experiments(recipes_of(text), BASE)]
    assert names == ["a-4", "b-0", "a-2", "b-1"]


@pytest.mark.parametrize(
    "text",
    ["[]", "a: 3", "a: {about: x}", "a: {about: x, seeds: []}", "a: {about: x, seeds: [0], b: 1}"],
)
def test_a_file_that_lists_no_recipes_is_refused_in_one_line(recipes_of, text):
    with pytest.raises(InfoGANError, match=r"not a list of recipes.*\Z"):
        recipes_of(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("set: {lamda: 1}", "unknown parameters lamda"),
        ("set: {lambda_disc: -3}", "lambda_disc = -3: expected greater than or equal to 0"),
        ("set: {networks.leaky_slope: steep}", "networks.leaky_slope = 'steep': expected"),
        ("objective: gna", "objectives = .*gna.*: expected some of infogan, gan, cgan"),
    ],
)
def test_a_recipe_that_could_not_be_trained_is_refused_by_its_name(experiment_of, text, said):
    with pytest.raises(InfoGANError, match=f"^recipe it: {said}"):
        experiment_of(text)


def test_a_small_number_is_the_one_that_dvc_writes(experiment_of):
    assert experiment_of("set: {lambda_cont: 1.0e-05}").parameters["lambda_cont"] == 1e-05


def test_the_committed_study_is_well_formed_and_the_readme_shows_its_records(monkeypatch):
    monkeypatch.chdir(ROOT)
    recipes = load_recipes(Path("study/experiments.yaml"))
    names = [experiment.name for experiment in experiments(recipes, Path("params.yaml"))]
    assert len(set(names)) == len(names)
    text = Path("README.md").read_text(encoding="utf-8")
    assert readme_with_table(text, load_records(Path("reports/study")), recipes) == text


# Records and report.


def make_record(recipe, seed, accuracy, dataset="mnist", folder=Path(), device="cpu", **metrics):
    contents = {
        "environment": {"device": device},
        "judge": {"frechet_floor": 0.3},
        "parameters": {"dataset": dataset},
        "measurements": {
            "roles": {"width": {"code": 1}, "slant": {"code": 0}},
            "leakage": {"shapes": ["slant", "width"], "codes": [[-accuracy, 0.0], [0.5, -0.25]]},
        },
    }
    metrics["accuracy_matched"] = accuracy
    return Record(recipe, seed, metrics, contents, pd.DataFrame(), folder / "codes.png")


@pytest.fixture
def recipes(recipes_of):
    return recipes_of(
        "default: {about: the default, seeds: [0, 1]}\n"
        "other: {about: another, seeds: [0]}\n"
        "small: {about: no noise, part: ablation, seeds: [0]}\n"
        "tall: {about: taller, part: ablation, seeds: [0, 1]}\n"
        "text: {about: the text, preset: p.yaml, seeds: [0]}\n"
        "bent: {about: the text bent, preset: p.yaml, part: ablation, seeds: [0]}\n"
        "wide: {about: wider, part: ablation, seeds: [0]}\n"
        "clothes: {about: clothes, part: data, seeds: [0]}\n"
        "told: {about: told of labels, part: beyond, seeds: [0]}\n"
        "one: {about: one code, part: curves, seeds: [0]}",
    )


def test_the_report_shows_spread_over_seeds_and_ablations_apart(recipes):
    records = [
        make_record("default", 0, 0.98, slant_share_together=0.75),
        make_record("default", 1, 0.90, slant_share_together=0.75),
        make_record("small", 0, 0.25),
        make_record("tall", 0, 0.35),
        make_record("tall", 1, 0.45),
        make_record("wide", 0, 0.55),
        make_record("text", 0, 0.65),
        make_record("bent", 0, 0.75),
        make_record("clothes", 0, 0.61),
        make_record("told", 0, 0.71),
        make_record("one", 0, 0.81, bound_cat_training_nats=2.125),
    ]
    text = document(records, recipes, ["figure_1"])
    before, ablations = text.split("## Ablations")
    before, data = before.split("## Other data sets")
    before, beyond = before.split("## What real images or labels add")
    before, curves = before.split("## Fig. 1")
    claims, shapes = before.split("## What the continuous codes do")
    assert [line for line in shapes.splitlines() if "`default`" in line] == [
        "| `default` | width | 0.500 ± 0.000 (n = 2) | 0.250 ± 0.000 (n = 2) |",
        "| `default` | rotation | 0.940 ± 0.057 (n = 2) | 0.000 ± 0.000 (n = 2) |",
        "| `default` | 0.750 ± 0.000 (n = 2) | - |",
    ]
    assert "| one code | 0 | 2.125 (n = 1)" in curves
    assert "| the default | 0, 1 | 0.940 ± 0.057 (n = 2)" in beyond
    assert "| told of labels | 0 | 0.710 (n = 1)" in beyond
    assert "0.940 ± 0.057 (n = 2): **1 of 2**" in claims
    assert "| clothes | 0 | 0.610 (n = 1)" in data
    assert "0.250" not in claims + data
    rows = ablations.split("## Every seed")[0].strip().splitlines()[-7:]
    assert [row.split(" | ")[:3] for row in rows] == [
        ["| the default", "0", "0.980 (n = 1)"],
        ["| no noise", "0", "0.250 (n = 1)"],
        ["| wider", "0", "0.550 (n = 1)"],
        ["| the default", "0, 1", "0.940 ± 0.057 (n = 2)"],
        ["| taller", "0, 1", "0.400 ± 0.071 (n = 2)"],
        ["| the text", "0", "0.650 (n = 1)"],
        ["| the text bent", "0", "0.750 (n = 1)"],
    ]
    assert "![figure_1](study/figure_1.png)" in text


def test_ablations_stand_below_runs_of_the_same_kind_of_device(recipes):
    records = [
        make_record("default", 0, 0.9),
        make_record("small", 0, 0.25),
        make_record("wide", 0, 0.5, device="cuda"),
        make_record("bent", 0, 0.75, device="cuda"),
    ]
    again = [make_record("default", 0, 0.8, device="cuda")]
    text = document(records, recipes, [], again)
    ablations, _, repeats = text.partition("## Ablations")[2].partition("## The same seeds")
    assert [row.split(" | ")[:3] for row in ablations.strip().splitlines()[-5:]] == [
        ["| the default", "0", "0.900 (n = 1)"],
        ["| no noise", "0", "0.250 (n = 1)"],
        ["| the text bent, GPU", "0", "0.750 (n = 1)"],
        ["| the default, GPU", "0", "0.800 (n = 1)"],
        ["| wider, GPU", "0", "0.500 (n = 1)"],
    ]
    assert "| cuda | `default` 0; `bent` 0; `wide` 0 |" in text
    rows = repeats.partition("## Every seed")[0].strip().splitlines()[-2:]
    assert [row.split(" | ")[:3] for row in rows] == [
        ["| `default`, CPU", "0", "0.900 (n = 1)"],
        ["| `default`, GPU", "0", "0.800 (n = 1)"],
    ]
    assert "0.800" not in text.partition("## Ablations")[0]
    assert "The same seeds" not in document(records, recipes, [])


def test_each_machine_is_named_with_the_runs_that_it_computed(recipes):
    records = [
        make_record(*run) for run in (("other", 0, 0.5), ("default", 0, 0.9), ("default", 1, 0.8))
    ]
    records[1].contents["environment"] = {"device": "gpu"}
    text = document(records, recipes, [])
    assert "| device | runs and seeds |" in text
    assert "| cpu | `default` 1; `other` 0 |" in text
    assert "| gpu | `default` 0 |" in text


def test_the_readme_gets_a_table_of_the_main_recipes_in_their_order_between_its_marks(recipes):
    runs = (("other", 0, 0.5), ("default", 1, 0.9), ("default", 0, 0.98), ("small", 0, 1))
    records = [make_record(*run) for run in runs]
    begin, end = README_MARKS
    made = readme_with_table(f"before\n{begin}\nold\n{end}\nafter\n", records, recipes)
    header = "| Claim of the paper | Metric | Paper | `default` | `other` |"
    assert made.startswith(f"before\n{begin}\n{header}\n")
    assert made.endswith(f"|\n{end}\nafter\n")
    assert "| 0.940 ± 0.057 (n = 2) | 0.500 (n = 1) |" in made
    assert "old" not in made
    assert readme_with_table(made, records, recipes) == made


@pytest.mark.parametrize(
    "text",
    ["", README_MARKS[0], README_MARKS[0] + 2 * README_MARKS[1], "".join(reversed(README_MARKS))],
)
def test_a_readme_without_the_marks_is_refused(recipes, text):
    with pytest.raises(InfoGANError, match="restore"):
        readme_with_table(text, [make_record("default", 0, 0.98)], recipes)


def test_other_experiments_have_claims_and_seeds_of_their_own(recipes_of):
    recipes = recipes_of(
        "default: {about: the default, seeds: [0]}\n"
        "turned: {about: as App. C.4 for azimuth, part: factors, seeds: [0, 1]}\n"
        "seats: {about: as App. C.5, part: factors, seeds: [0]}",
    )
    records = [
        make_record("seats", 0, 0, "seats", rotation_share_together=0.6),
        make_record("default", 0, 0.9),
        make_record("turned", 0, 0, "heads", azimuth_spearman=0.95),
        make_record("turned", 1, 0, "heads", azimuth_spearman=0.5),
    ]
    assert table(records).loc[("turned", 1), "azimuth_spearman"] == 0.5
    text = document(records, recipes, [])
    assert "| Recipe | Seed | `rotation_share_together` | `width_share_together` | `mig`" in text
    before, _, own = text.partition("## Other experiments: `heads`, in place of Faces")
    own, _, after = own.partition("## Other experiments: `seats`")
    after = after.partition("## Every seed")[2]
    assert "are not the paper's" in own
    assert "0.725 ± 0.318 (n = 2): **1 of 2**" in own
    assert "| `turned` | 0 | 0.950 |" in own
    assert "turned" not in before + after.partition("## Machines")[0]


def test_every_recipe_but_the_ablations_has_a_picture_of_its_seeds(tmp_path, recipes):
    Image.fromarray(grid_image(np.zeros((5, 10, 1, 28, 28), np.uint8))).save(tmp_path / "codes.png")
    curves = pd.DataFrame({"step": [1, 2], "bound_cat_nats": [0.5, 2.0]})
    runs = {"default": "mnist", "small": "mnist", "clothes": "fashion_mnist", "one": "mnist"}
    records = [
        replace(make_record(name, 0, 0.9, dataset, tmp_path), curves=curves)
        for name, dataset in runs.items()
    ]
    assert list(draw(records, recipes)) == [
        *("figure_1", "seeds_default", "seeds_clothes", "seeds_one"),
    ]


def test_a_record_counts_only_for_the_parameters_it_was_made_with(tmp_path, experiment_of):
    experiment = experiment_of("set: {lambda_information: 0.0}")
    assert not on_record(experiment, tmp_path)
    (tmp_path / "it-7").mkdir()

    def counts(parameters):
        (tmp_path / "it-7" / "record.json").write_text(json.dumps({"parameters": parameters}))
        return on_record(experiment, tmp_path)

    own = experiment.parameters
    assert counts(own)
    assert not counts(own | {"num_steps": 7})
    assert not counts(own | {"of_another_time": 0})
    # What the record is too old to know of was off when it was made.
    assert counts({key: value for key, value in own.items() if key != "lambda_information"})
    assert not counts({key: value for key, value in own.items() if key != "num_steps"})


def test_a_controls_record_counts_whatever_infogan_alone_reads(experiment_of):
    for objective in ("gan", "infogan"):
        own = experiment_of(f"objective: {objective}").parameters
        other = own | {"lambda_cont": 7.0, "maps.scale": 0.7}
        assert same_parameters(other, own) == (objective == "gan")
        assert not same_parameters(own | {"training.generator_lr": 0.7}, own)


@pytest.fixture
def record(tmp_path, monkeypatch):
    """The folder of a whole record, below where we are."""
    monkeypatch.chdir(tmp_path)
    folder = Path("reports/study/default-0")
    shutil.copytree(ROOT / folder, folder)
    assert len(load_records(folder.parent)) == 1
    return folder


@pytest.mark.parametrize("part", ["judge", "environment", "measurements", "parameters"])
def test_a_broken_record_is_named(record, part):
    contents = json.loads((record / "record.json").read_text())
    del contents[part]
    (record / "record.json").write_text(json.dumps(contents))
    with pytest.raises(InfoGANError, match=r"default-0: not a whole record"):
        load_records(record.parent)


@pytest.mark.parametrize("name", ["codes.png", "curves.csv"])
def test_a_record_without_one_of_its_files_or_with_half_of_it_is_named(record, name):
    contents = (record / name).read_bytes()
    (record / name).write_bytes(contents[: len(contents) // 2 if name == "codes.png" else 0])
    with pytest.raises(InfoGANError, match=r"default-0: not a whole record"):
        load_records(record.parent)
    (record / name).unlink()
    with pytest.raises(InfoGANError, match=r"default-0: not a whole record"):
        load_records(record.parent)


def test_a_record_of_another_time_is_left_out_of_the_report_and_named(record, recipes_of, capsys):
    recipes = recipes_of("default: {about: the default, seeds: [0]}")
    contents = json.loads((record / "record.json").read_text())
    contents["parameters"]["num_steps"] = 7
    (record / "record.json").write_text(json.dumps(contents))
    with pytest.raises(InfoGANError, match="no records"):
        write_report(recipes, experiments(recipes, BASE))
    said = capsys.readouterr().out
    assert said == "study: left out, since the recipe is another today: default-0\n"


def test_a_record_that_is_written_anew_is_none_until_all_of_it_is_there(record, monkeypatch):
    class Done:
        """The experiment of the record, as DVC has it."""

        def read(self, path):
            if path == "dvc.lock":
                return b"stages: {}"
            if path.endswith(".npy"):
                save_array(Path("c1.npy"), np.zeros((5, 10, 1, 28, 28), np.uint8))
                return Path("c1.npy").read_bytes()
            return json.dumps(contents["measurements"]).encode()

        def parameters(self):
            return one.parameters

    def full(path, data):
        raise InfoGANError("no space")

    contents = json.loads((record / "record.json").read_text())
    one = Experiment("default", 0, contents["parameters"], {})
    monkeypatch.setattr("study.records.write_file", full)
    with pytest.raises(InfoGANError, match="no space"):
        copy_results(one, Done(), record)
    assert load_records(record.parent) == []


# Git.


def test_what_git_refuses_ends_in_its_own_words_on_one_line(tmp_path):
    with pytest.raises(InfoGANError, match=r"^git: fatal: not a git repository.*\Z"):
        git("rev-parse", "HEAD", folder=tmp_path)


def test_a_shallow_clone_is_refused_before_anything_is_trained(command, tmp_path):
    for message in ("first", "second"):
        command("git", "commit", "-q", "--allow-empty", "-m", message)
    command("git", "clone", "-q", "--depth", "1", tmp_path.as_uri(), "shallow")
    refuse_shallow_clone()
    with pytest.raises(InfoGANError, match=r"run git fetch --unshallow"):
        refuse_shallow_clone(Path("shallow"))
