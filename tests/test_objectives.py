import re
import sys
from pathlib import Path

import pytest

from infogan.base.errors import InfoGANError
from infogan.objectives import INFOGAN_ALONE, OBJECTIVES, check_objectives
from infogan.params import Maps
from infogan.train.objective import Objective as Weights
from infogan.train.objective import load_objective, save_objective
from stages import run_stage
from stages.objectives import main, parser
from tests.conftest import REPOSITORY

WEIGHTS = {
    "lambda_disc": 0.3,
    "lambda_cont": 7.0,
    "lambda_information": 0.6,
    "lambda_consistency": 0.9,
}
NO_MAPS = {f"judge.{key}": 0.0 for key in ("rotation", "shear", "scale", "shift")}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        *(
            ({"codes.categorical": sizes}, f"{re.escape(str(sizes))}: expected 10 first, .*cgan")
            for sizes in ([], [12], [2, 10])
        ),
        ({"dataset": "heads", **NO_MAPS}, "such as cgan: the images of heads have none"),
    ],
)
def test_the_conditional_gan_needs_labels_and_a_category_for_each(make_params, changes, said):
    params = make_params(changes | {"objectives": ["gan", "cgan"]})
    with pytest.raises(InfoGANError, match=rf"^here\.yaml: .*{said}"):
        check_objectives(params, Path("here.yaml"))


@pytest.mark.parametrize(("trunk", "maps"), [(True, False), (False, True)])
def test_infogan_takes_its_weights_from_the_parameters(make_params, trunk, maps):
    changes = {"bound_trains_trunk": trunk, "categories_from_maps": maps, "maps.rotation": 0.2}
    objective = OBJECTIVES["infogan"](make_params({**WEIGHTS, **changes}))
    assert objective == Weights(
        **WEIGHTS,
        generator_learns_bound=True,
        trunk_learns_bound=trunk,
        categories_from_maps=maps,
        maps=Maps(rotation=0.2, shear=0.5, scale=0.25, shift=0.15, elastic=0.1),
        labels_given=False,
    )


def test_the_controls_pass_the_bound_to_qs_head_alone_and_one_is_given_labels(make_params):
    params = make_params({**WEIGHTS, "bound_trains_trunk": True, "categories_from_maps": True})
    values = OBJECTIVES["gan"](params).describe()
    assert OBJECTIVES["cgan"](params).describe() == values | {"labels_given": True}
    assert not any(values.pop("maps").values())
    given = {name: value for name, value in values.items() if value}
    assert given == {"lambda_disc": 1.0, "lambda_cont": 1.0}


@pytest.mark.parametrize(
    "change",
    [
        *({key: value} for key, value in WEIGHTS.items()),
        *({"bound_trains_trunk": False}, {"categories_from_maps": False}, {"maps.scale": 0.7}),
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_reaches_infogan_alone_leaves_the_controls_as_they_are(make_params, change):
    before, after = make_params(), make_params(change)
    assert next(iter(change)).split(".")[0] in INFOGAN_ALONE
    for name, objective in OBJECTIVES.items():
        assert (objective(before) == objective(after)) == (name != "infogan")


def test_loading_undoes_saving(make_params, tmp_path):
    objective = OBJECTIVES["infogan"](make_params({**WEIGHTS, "lambda_disc": 1e-05}))
    save_objective(tmp_path / "objective.json", objective)
    assert load_objective(tmp_path / "objective.json") == objective


@pytest.mark.parametrize(
    "contents",
    [None, b"{", b"[]", b"\xff", b"{}", b'{"lambda_disc": "much"}'],
)
def test_a_file_that_is_no_objective_is_refused_in_one_line(tmp_path, contents):
    path = tmp_path / "objective.json"
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(InfoGANError, match=r"objective\.json: not an objective") as refused:
        load_objective(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("weights", "learns"), [((0, 0), False), ((0.1, 0), True), ((0, 2), True)])
def test_real_images_teach_q_where_either_weight_is_positive(make_params, weights, learns):
    changes = dict(zip(("lambda_information", "lambda_consistency"), weights, strict=True))
    assert OBJECTIVES["infogan"](make_params(changes)).learns_from_real_images is learns
    assert not OBJECTIVES["gan"](make_params(changes)).learns_from_real_images


def test_checking_writes_nothing_and_names_the_key(tmp_path, capsys, monkeypatch):
    text = (REPOSITORY / "params.yaml").read_text()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["objectives", "--check"])
    for old, new, message in (
        ("seeds:\n- 0\n", "seeds: 3\n", "params.yaml: seeds = 3: expected a valid list"),
        ("- gan\n", "- wgan\n", "'wgan']: expected some of infogan, gan, cgan"),
    ):
        (tmp_path / "params.yaml").write_text(text.replace(old, new))
        with pytest.raises(SystemExit, match="1"):
            run_stage(main, parser())
        assert message in capsys.readouterr().err
    (tmp_path / "params.yaml").write_text(text)
    run_stage(main, parser())
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
