import re

import numpy as np
import pandas as pd
import pytest

from infogan.base.errors import InfoGANError
from infogan.base.files import save_array, write_file
from infogan.datasets import lookup
from infogan.report.document import Picture, Table, markdown
from infogan.report.pictures import category_order, draw
from infogan.report.runs import Run, mean_curves, read_run
from infogan.report.text import document


def make_run(objective: str, seed: int, mapping: list[int], losses: list[float]) -> Run:
    curves = pd.DataFrame({"step": [20, 40], "generator_loss": losses})
    record = {"metrics": {"nmi": 0.5}, "category_to_class": mapping, "roles": {}}
    curves = curves.assign(objective=objective, seed=seed)
    grids = {"c1": np.zeros((1, 1, 1, 28, 28), np.uint8)}
    film = np.zeros((2, 3, 2, 1, 28, 28), np.uint8)
    return Run(objective, seed, record, {"device": "cpu"}, curves, grids, film)


def test_categories_are_put_in_the_order_of_their_classes_and_the_unmatched_last():
    assert category_order([2, -1, 0, -1, 1]) == [2, 4, 0, 1, 3]


def test_mean_curves_average_over_the_seeds_of_an_objective():
    runs = [
        make_run("infogan", 0, [], [1.0, 2.0]),
        make_run("infogan", 1, [], [3.0, 6.0]),
        make_run("gan", 0, [], [5.0, 7.0]),
    ]
    curves = mean_curves(runs)
    assert list(curves.columns) == ["infogan_generator_loss", "gan_generator_loss"]
    assert curves.loc[40].tolist() == [4.0, 7.0]


def make_drawable_run(objective: str, seed: int) -> Run:
    run = make_run(objective, seed, [1, 0], [1.0, 2.0])
    run.record["contingency"] = [[0, 3] * 5, [4, 1] * 5]
    run.record["metrics"]["accuracy_matched"] = 0.875
    run.record["metrics"] |= {"slant_spearman": 0.98, "width_spearman": 0.2}
    run.record["roles"] = {"slant": {"code": 1, "sign": 1}, "width": {"code": 0, "sign": -1}}
    for name, columns in (("c1", 2), ("c2", 4), ("c3", 4), ("samples", 3)):
        run.grids[name] = np.zeros((3, columns, 1, 28, 28), np.uint8)
    curves = run.curves.assign(discriminator_loss=1.0, bound_cat_nats=0.5, bound_cont_nats=0.1)
    return Run(objective, seed, run.record, run.environment, curves, run.grids, run.film)


SMALL = {"codes.categorical": [2], "traverse.columns": 4, "training.film_frames": 2}


def test_figure_2_shows_the_first_seed_of_the_first_objective_and_c1_of_the_others(make_params):
    params = make_params(SMALL)
    runs = [make_drawable_run(name, seed) for name in ("infogan", "gan") for seed in (4, 2)]
    real_images = np.zeros((9, 1, 28, 28), np.uint8)
    pictures = draw(runs, params, lookup("digits"), real_images)
    titles = [axes.get_title(loc="left") for axes in pictures["figure_2"].axes]
    assert [title for title in titles if title] == [
        "(a) $c_{1}$ on InfoGAN",
        "(b) $c_{1}$ on Regular GAN",
        r"(c) $c_{3}$ on InfoGAN: rotation, $\rho = 0.98$",
        r"(d) $c_{2}$ on InfoGAN: width, $\rho = 0.20$",
    ]
    assert "seed 4" in pictures["confusion_gan"].axes[0].get_title(loc="left")
    assert {"seeds_infogan", "seeds_gan"} <= set(pictures)


def test_every_figure_says_its_stage_its_seeds_and_how_many_it_shows(make_params):
    params = make_params(SMALL | {"seeds": [4, 2], "traverse.rows": 3})
    runs = [make_drawable_run(name, seed) for name in ("infogan", "gan") for seed in (4, 2)]
    classifier = {"accuracy_test": 0.99, "num_test": 50, "frechet_floor": 0.25}
    names = ["figure_1", "figure_2", "film", "samples", "confusion_gan", "seeds_gan"]
    blocks = document(runs, params, lookup(params.dataset), classifier, names)
    sources = {b.name: b.caption.split("Stage ")[1] for b in blocks if isinstance(b, Picture)}
    assert sources == {
        "figure_1": "`train`, seeds 4, 2, n = 2 runs of each objective.",
        "figure_2": "`traverse`, seed 4, n = 3 draws of noise and codes a grid.",
        "film": "`train`, seed 4, n = 1 draw of noise and codes.",
        "samples": "`traverse`, seed 4, n = 9 images each.",
        "confusion_gan": "`evaluate`, seed 4, n = 40 test images.",
        "seeds_gan": "`traverse`, seeds 4, 2, n = 2 runs of each objective.",
    }


def report_of(make_params, run: Run, names: list[str], changes: dict) -> str:
    """The report of a single run."""
    params = make_params(SMALL | {"seeds": [4]} | changes)
    classifier = {"accuracy_test": 0.99, "num_test": 50, "frechet_floor": 0.25}
    return markdown(document([run], params, lookup(params.dataset), classifier, names))


@pytest.mark.parametrize(
    ("changes", "beside"),
    [
        ({"dataset": "mnist", "codes.categorical": [10]}, True),
        ({"dataset": "digits", "codes.categorical": [10]}, False),
        ({"dataset": "mnist", "codes.categorical": [10, 2]}, False),
    ],
)
def test_the_papers_curve_is_in_the_caption_of_figure_1_where_it_is_drawn(
    make_params, changes, beside
):
    run = make_drawable_run("infogan", 4)
    run.grids["c4"] = run.grids["c3"]
    text = report_of(make_params, run, ["figure_1"], changes)
    params = make_params(SMALL | changes)
    pictures = draw([run], params, lookup(params.dataset), np.zeros((9, 1, 28, 28), np.uint8))
    labels = [label.get_text() for label in pictures["figure_1"].legends[0].get_texts()]
    assert any("paper" in label for label in labels) == beside
    assert ("the paper's curve" in text) == beside


def test_roles_and_classes_are_in_the_caption_of_figure_2_where_there_are_any(make_params):
    run = make_drawable_run("infogan", 4)
    full = report_of(make_params, run, ["figure_2"], {})
    run.record["roles"], run.record["category_to_class"] = {}, []
    bare = report_of(make_params, run, ["figure_2"], {})
    for said in ("rho", "the classes that they match"):
        assert said in full
        assert said not in bare


def test_the_report_links_to_its_own_folder_alone_and_says_so(make_params):
    text = report_of(make_params, make_drawable_run("infogan", 4), [], {})
    assert re.findall(r"\]\(([^)]+)\)", text) == ["deviations.md"]
    assert "in a copy of this page alone they are dead" in text


def test_the_report_states_all_parameters_but_where_a_run_computes(make_params):
    params = make_params(SMALL)
    runs = [make_drawable_run("infogan", 0)]
    classifier = {"accuracy_test": 0.99, "num_test": 50, "frechet_floor": 0.25}
    blocks = document(runs, params, lookup(params.dataset), classifier, [])
    (parameters,) = (b for b in blocks if isinstance(b, Table) and b.header[0] == "Section")
    stated = " ".join(f"{section} {values}" for section, values in parameters.rows)
    names = params.model_dump(exclude={"runtime"})
    assert all(name in stated for name in names)
    assert "`categorical: [2]`" in stated
    assert "runtime" not in stated


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InfoGANError, match="run gan-4 is incomplete"):
        read_run(tmp_path, "gan", 4)


def written(run: Run, make_params) -> str:
    params = make_params({"codes.categorical": [2], "seeds": [run.seed]})
    classifier = {"accuracy_test": 1, "num_test": 9, "frechet_floor": 0.3}
    return document([run], params, lookup(params.dataset), classifier, [])


def healthy_run() -> Run:
    run = make_drawable_run("infogan", 4)
    for name in ("c1", "c2", "c3"):
        run.grids[name] = np.arange(2, dtype=np.uint8).reshape(1, 2, 1, 1, 1) * 255
    return run


def test_the_report_of_a_healthy_run_has_no_warnings(make_params):
    assert "Warnings" not in written(healthy_run(), make_params)


def test_the_report_names_the_run_and_what_is_wrong_with_it(make_params):
    run = healthy_run()
    run.grids["c3"][:] = 7
    run.record["contingency"] = [[0] * 10, [9] * 10]
    run.record["metrics"]["nmi"] = float("nan")
    blocks = written(run, make_params)
    assert blocks[blocks.index("## Warnings") + 1].splitlines() == [
        "- `infogan-4`: nmi is nan.",
        "- `infogan-4`: Q puts 100.0% of the test images into category 1 of c1.",
        "- `infogan-4`: c3 does not change the images.",
    ]


def test_a_damaged_film_or_grid_names_the_run_and_the_file(tmp_path):
    train, grids = tmp_path / "train" / "gan-4", tmp_path / "traverse" / "gan-4"
    write_file(train / "plots" / "metrics" / "generator_loss.tsv", "step\tgenerator_loss\n2\t1.0\n")
    write_file(train / "environment.json", "{}")
    write_file(tmp_path / "evaluate" / "gan-4" / "measurements.json", "{}")
    for path in (train / "film.npy", grids / "c1.npy"):
        save_array(train / "film.npy", np.zeros((2, 3, 2, 1, 28, 28), np.uint8))
        save_array(grids / "c1.npy", np.zeros((3, 2, 1, 28, 28), np.uint8))
        assert read_run(tmp_path, "gan", 4).film.shape == (2, 3, 2, 1, 28, 28)
        contents = bytearray(path.read_bytes())
        contents[500] ^= 1
        path.write_bytes(contents)
        with pytest.raises(InfoGANError, match=rf"run gan-4 .*{path.name}: its checksum is wrong"):
            read_run(tmp_path, "gan", 4)
