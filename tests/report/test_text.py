from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from infogan.datasets import lookup
from infogan.report.document import Picture, Table, Verdict, markdown
from infogan.report.pictures import _panels, category_order, draw
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
    columns = {"c1": 2, "c2": 4, "c3": 4, "c4": 4, "samples": 3}
    grids = {name: np.zeros((3, num, 1, 28, 28), np.uint8) for name, num in columns.items()}
    for grid in grids.values():
        grid[:, 1] = 255
    film = np.zeros((2, 3, 2, 1, 28, 28), np.uint8)
    return Run(objective, seed, record, {"device": "cpu"}, curves, grids, film)


@pytest.fixture(scope="module")
def figures_of(make_params):
    """The figures of some runs by name, each with its texts."""

    def drawn(*runs: Run, **changes) -> dict:
        params = make_params(SMALL | changes)
        figures = draw(list(runs), params, lookup(params.dataset), REAL_IMAGES)
        return {picture.name: (picture, figure) for picture, figure in figures.items()}

    return drawn


@pytest.fixture(scope="module")
def figures(figures_of):
    """Those of two seeds of two objectives."""
    runs = [make_run(name, seed) for name in ("infogan", "gan") for seed in (4, 2)]
    return figures_of(*runs, **{"seeds": [4, 2], "traverse.rows": 3})


@pytest.fixture
def report(make_params):
    """The blocks of the report of one run, without figures."""

    def write(run: Run) -> list:
        judge = {"accuracy_test": 0.99, "num_test": 50, "frechet_floor": 0.25}
        return document([run], make_params(SMALL), lookup("digits"), judge, [])

    return write


def titles_of(figure) -> list[str]:
    return [title for axes in figure.axes if (title := axes.get_title(loc="left"))]


def test_a_document_is_its_blocks_with_an_empty_line_between():
    table = Table(("a", "b"), [("1", Verdict(0, 2)), ("2", Verdict(1, 1))])
    picture = Picture("film", "Many grids.", "**Film.** As it was.")
    assert markdown(["# Title", table, picture]) == (
        "# Title\n\n"
        "| a | b |\n| --- | --- |\n| 1 | 0 of 2 seeds |\n| 2 | 1 of 1 seed |\n\n"
        "![Many grids.](figures/film.png)\n\n**Film.** As it was.\n"
    )


def test_categories_are_put_in_the_order_of_their_classes_and_the_unmatched_last():
    assert category_order([2, -1, 0, -1, 1]) == [2, 4, 0, 1, 3]


def test_figure_2_shows_the_first_seed_of_the_first_objective_and_c1_of_the_others(figures):
    assert titles_of(figures["figure_2"][1]) == [
        "(a) $c_{1}$ on InfoGAN",
        "(b) $c_{1}$ on Regular GAN",
        r"(c) $c_{3}$ on InfoGAN: rotation, $\rho = 0.98$",
        r"(d) $c_{2}$ on InfoGAN: width, $\rho = 0.20$",
    ]
    assert "seed 4" in titles_of(figures["confusion_gan"][1])[0]
    assert "seeds_infogan" in figures


def test_panels_beyond_the_alphabet_are_numbered(make_params):
    params = make_params({"codes.categorical": [], "codes.continuous": 28})
    grids = dict.fromkeys(params.codes.names, np.zeros((1, 2, 1, 28, 28), np.uint8))
    run = replace(make_run(), record={"roles": {}}, grids=grids)
    titles = [panel.title.split(" on ")[0] for panel in _panels([run], params, lookup("digits"))]
    assert titles[25:] == ["(z) $c_{26}$", "(27) $c_{27}$", "(28) $c_{28}$"]


def test_every_figure_says_its_stage_its_seeds_and_how_many_it_shows(figures):
    expected = {
        "figure_1": "`train`, seeds 4, 2, n = 2 runs of each objective.",
        "figure_2": "`traverse`, seed 4, n = 3 draws of noise and codes a grid.",
        "film": "`train`, seed 4, n = 1 draw of noise and codes.",
        "losses": "`train`, seeds 4, 2, n = 2 runs of each objective.",
        "samples": "`traverse`, seed 4, n = 9 images each.",
        **dict.fromkeys(
            ("confusion_infogan", "confusion_gan"), "`evaluate`, seed 4, n = 40 test images."
        ),
        **dict.fromkeys(
            ("seeds_infogan", "seeds_gan"),
            "`traverse`, seeds 4, 2, n = 2 runs of each objective.",
        ),
    }
    pictures = {name: picture for name, (picture, _) in figures.items()}
    assert {name: p.caption.split("Stage ")[1] for name, p in pictures.items()} == expected
    for name, picture in pictures.items():
        assert picture.alt.endswith(f"Stage {expected[name].replace('`', '')}")
    charts = {"figure_1", "losses", "confusion_infogan", "confusion_gan"}
    assert {name for name, picture in pictures.items() if picture.is_chart} == charts
    assert "Confusion, Regular GAN." in pictures["confusion_gan"].caption
    assert "Matrix of counts, Regular GAN:" in pictures["confusion_gan"].alt


@pytest.mark.parametrize(
    ("dataset", "categorical", "beside"),
    [("mnist", [10], True), ("digits", [10], False), ("mnist", [10, 2], False)],
)
def test_the_papers_curve_is_in_the_caption_of_figure_1_where_it_is_drawn(
    figures_of, dataset, categorical, beside
):
    changes = {"dataset": dataset, "codes.categorical": categorical}
    picture, figure = figures_of(make_run(), **changes)["figure_1"]
    labels = [label.get_text() for label in figure.legends[0].get_texts()]
    assert any("paper" in label for label in labels) == beside
    assert ("the paper's curve" in picture.caption) == beside


def test_captions_say_what_is_drawn_and_nothing_of_what_is_not(figures, figures_of):
    run = make_run()
    run.record["roles"], run.record["category_to_class"] = {}, []
    bare = figures_of(run, **{"codes.categorical": []})
    assert "figure_1" not in bare
    assert bare["losses"][0].caption.endswith("seed 4, n = 1 run of each objective.")
    for name, said in (
        ("figure_2", "rho"),
        ("figure_2", "the classes that they match"),
        ("film", "each category of c1"),
    ):
        assert said in figures[name][0].caption
        assert said not in bare[name][0].caption


def test_the_report_states_parameters_and_what_was_measured_and_links_to_no_other_folder(
    report, params
):
    blocks = report(make_run())
    tables = {block.header[0]: block for block in blocks if isinstance(block, Table)}
    stated = " ".join(f"{section} {values}" for section, values in tables["Section"].rows)
    assert all(name in stated for name in params.model_dump(exclude={"runtime"}))
    assert "`categorical: [2]`" in stated
    assert "runtime" not in stated
    shown = "accuracy_matched", "nmi", "slant_spearman", "width_spearman"
    assert tables["Objective"].header[2:] == tuple(f"`{name}`" for name in shown)
    # When the bound and the losses settled is worked out from the curves.
    measured = [row[0] for row in tables["Metric"].rows]
    assert {"`nmi`", "`settling_ratio`"} <= set(measured)
    assert markdown(blocks).count("](") == 1
    assert "[deviations.md](deviations.md)" in markdown(blocks)


def test_the_report_names_the_run_and_what_is_wrong_with_it_and_a_healthy_one_has_no_warnings(
    report,
):
    run = make_run()
    assert "## Warnings" not in report(run)
    run.grids["c3"][:] = 7
    run.record["contingency"] = [[0] * 10, [9] * 10]
    run.record["metrics"]["nmi"] = float("nan")
    blocks = report(run)
    assert blocks[blocks.index("## Warnings") + 1].splitlines() == [
        "- `infogan-4`: nmi is nan.",
        "- `infogan-4`: Q puts 100.0% of the test images into category 1 of c1.",
        "- `infogan-4`: c3 does not change the images.",
    ]
