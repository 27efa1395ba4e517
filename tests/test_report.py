import numpy as np
import pandas as pd
import pytest

from infogan.errors import InfoGANError
from infogan.report import Run, category_order, mean_curves, read_run


def make_run(objective: str, seed: int, mapping: list[int], losses: list[float]) -> Run:
    curves = pd.DataFrame({"step": [20, 40], "generator_loss": losses})
    record = {"metrics": {"nmi": 0.5}, "category_to_class": mapping, "roles": {}}
    curves = curves.assign(objective=objective, seed=seed)
    grids = {"c1": np.zeros((1, 1, 1, 2, 2), np.uint8)}
    return Run(objective, seed, record, {"device": "cpu"}, curves, grids)


def test_categories_are_put_in_the_order_of_their_classes_and_the_unmatched_last():
    assert category_order(make_run("gan", 0, [2, -1, 0, -1, 1], [1, 2])) == [2, 4, 0, 1, 3]


def test_mean_curves_average_over_the_seeds_of_an_objective():
    runs = [
        make_run("infogan", 0, [], [1.0, 2.0]),
        make_run("infogan", 1, [], [3.0, 6.0]),
        make_run("gan", 0, [], [5.0, 7.0]),
    ]
    curves = mean_curves(runs)
    assert list(curves.columns) == ["infogan_generator_loss", "gan_generator_loss"]
    assert curves.loc[40].tolist() == [4.0, 7.0]


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InfoGANError, match="run gan-4 is incomplete"):
        read_run(tmp_path, "gan", 4)
