import re

import numpy as np
import pandas as pd
import pytest

from infogan.datasets import lookup
from infogan.report.document import Block, Picture, Table, markdown
from infogan.report.pictures import category_order, draw
from infogan.report.runs import Run
from infogan.report.text import document

SMALL = {"codes.categorical": [2], "traverse.columns": 4, "training.film_frames": 2, "seeds": [4]}
REAL_IMAGES = np.zeros((9, 1, 28, 28), np.uint8)


def make_run(objective: str = "infogan", seed: int = 4) -> Run:
    """A run on digits in which every code changes the images."""
    shapes = {"slant_spearman": 0.98, "width_spearman": 0.2}
    record = {
        "metrics": {"nmi": 0.5, "accuracy_matched": 0.875, **shapes},
        "category_to_class": [1, 0],
        "contingency": [[0, 3] * 5, [4, 1] * 5],
        "roles": {"slant": {"code": 1, "sign": 1}, "width": {"code": 0, "sign": -1}},
    }
    curves = pd.DataFrame({"step": [20, 40], "generator_loss": [1.0, 2.0]})
    curves = curves.assign(discriminator_loss=1.0, bound_cat_nats=0.5, bound_cont_nats=0.1)
    curves = curves.assign(objective=objective, seed=seed)
    columns = {"c1": 2, "c2": 4, "c3": 4, "samples": 3}
    grids = {name: np.zeros((3, num, 1, 28, 28), np.uint8) for name, num in columns.items()}
    for grid in grids.values():
        grid[:, 1] = 255
    film = np.zeros((2, 3, 2, 1, 28, 28), np.uint8)
    return Run(objective, seed, record, {"device": "cpu"}, curves, grids, film)


@pytest.fixture
def report(make_params):
    """The blocks of a report with some figures, of one run unless others are given."""

    def write(*runs: Run, names: tuple[str, ...] = (), changes: dict | None = None) -> list[Block]:
        params = make_params(SMALL | (changes or {}))
        judge = {"accuracy_test": 0.99, "num_test": 50, "frechet_floor": 0.25}
        shown = list(runs or [make_run()])
        return document(shown, params, lookup(params.dataset), judge, list(names))

    return write


def test_categories_are_put_in_the_order_of_their_classes_and_the_unmatched_last():
    assert category_order([2, -1, 0, -1, 1]) == [2, 4, 0, 1, 3]


def test_figure_2_shows_the_first_seed_of_the_first_objective_and_c1_of_the_others(make_params):
    runs = [make_run(name, seed) for name in ("infogan", "gan") for seed in (4, 2)]
    pictures = draw(runs, make_params(SMALL), lookup("digits"), REAL_IMAGES)
    titles = [axes.get_title(loc="left") for axes in pictures["figure_2"].axes]
    assert [title for title in titles if title] == [
        "(a) $c_{1}$ on InfoGAN",
        "(b) $c_{1}$ on Regular GAN",
        r"(c) $c_{3}$ on InfoGAN: rotation, $\rho = 0.98$",
        r"(d) $c_{2}$ on InfoGAN: width, $\rho = 0.20$",
    ]
    assert "seed 4" in pictures["confusion_gan"].axes[0].get_title(loc="left")
    assert {"seeds_infogan", "seeds_gan"} <= set(pictures)


def test_every_figure_says_its_stage_its_seeds_and_how_many_it_shows(report):
    runs = [make_run(name, seed) for name in ("infogan", "gan") for seed in (4, 2)]
    names = ("figure_1", "figure_2", "film", "samples", "confusion_gan", "seeds_gan")
    blocks = report(*runs, names=names, changes={"seeds": [4, 2], "traverse.rows": 3})
    pictures = [block for block in blocks if isinstance(block, Picture)]
    expected = {
        "figure_1": "`train`, seeds 4, 2, n = 2 runs of each objective.",
        "figure_2": "`traverse`, seed 4, n = 3 draws of noise and codes a grid.",
        "film": "`train`, seed 4, n = 1 draw of noise and codes.",
        "samples": "`traverse`, seed 4, n = 9 images each.",
        "confusion_gan": "`evaluate`, seed 4, n = 40 test images.",
        "seeds_gan": "`traverse`, seeds 4, 2, n = 2 runs of each objective.",
    }
    assert {b.name: b.caption.split("Stage ")[1] for b in pictures} == expected
    for picture in pictures:
        assert picture.alt.endswith(f"Stage {expected[picture.name].replace('`', '')}")
    assert pictures[4].is_chart
    assert "Confusion, Regular GAN." in pictures[4].caption
    assert "Matrix of counts, Regular GAN:" in pictures[4].alt


@pytest.mark.parametrize(
    ("changes", "beside"),
    [
        ({"dataset": "mnist", "codes.categorical": [10]}, True),
        ({"dataset": "digits", "codes.categorical": [10]}, False),
        ({"dataset": "mnist", "codes.categorical": [10, 2]}, False),
    ],
)
def test_the_papers_curve_is_in_the_caption_of_figure_1_where_it_is_drawn(
    report, make_params, changes, beside
):
    run = make_run()
    run.grids["c4"] = run.grids["c3"]
    text = markdown(report(run, names=("figure_1",), changes=changes))
    params = make_params(SMALL | changes)
    figure = draw([run], params, lookup(params.dataset), REAL_IMAGES)["figure_1"]
    labels = [label.get_text() for label in figure.legends[0].get_texts()]
    assert any("paper" in label for label in labels) == beside
    assert ("the paper's curve" in text) == beside


def test_captions_say_what_is_drawn_and_nothing_of_what_is_not(report):
    names = ("figure_2", "film", "losses")
    full = markdown(report(names=names))
    assert "Stage `train`, seed 4, n = 1 run of each objective." in full
    run = make_run()
    run.record["roles"], run.record["category_to_class"] = {}, []
    bare = markdown(report(run, names=names, changes={"codes.categorical": []}))
    for said in ("rho", "the classes that they match", "each category of c1"):
        assert said in full
        assert said not in bare


def test_the_report_links_to_its_own_folder_alone_and_says_so(report):
    text = markdown(report())
    assert re.findall(r"\]\(([^)]+)\)", text) == ["deviations.md"]
    assert "in a copy of this page alone they are dead" in text


def test_the_report_states_all_parameters_but_where_a_run_computes(report, params):
    (table,) = (b for b in report() if isinstance(b, Table) and b.header[0] == "Section")
    stated = " ".join(f"{section} {values}" for section, values in table.rows)
    assert all(name in stated for name in params.model_dump(exclude={"runtime"}))
    assert "`categorical: [2]`" in stated
    assert "runtime" not in stated


def test_only_metrics_that_were_measured_are_shown_of_every_seed(report):
    (table,) = (
        b for b in report() if isinstance(b, Table) and b.header[:2] == ("Objective", "Seed")
    )
    shown = "accuracy_matched", "nmi", "slant_spearman", "width_spearman"
    assert table.header[2:] == tuple(f"`{name}`" for name in shown)


def test_the_report_names_the_run_and_what_is_wrong_with_it_and_a_healthy_one_has_no_warnings(
    report,
):
    assert "## Warnings" not in report()
    run = make_run()
    run.grids["c3"][:] = 7
    run.record["contingency"] = [[0] * 10, [9] * 10]
    run.record["metrics"]["nmi"] = float("nan")
    blocks = report(run)
    assert blocks[blocks.index("## Warnings") + 1].splitlines() == [
        "- `infogan-4`: nmi is nan.",
        "- `infogan-4`: Q puts 100.0% of the test images into category 1 of c1.",
        "- `infogan-4`: c3 does not change the images.",
    ]
