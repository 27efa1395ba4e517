import numpy as np

from benchmarks.reproducibility import difference

OURS = {"images.3": np.zeros((2, 1, 2, 2)), "categories.3": np.array([0, 0, 1, 1])}


def test_equal_runs_differ_by_nothing():
    assert difference(OURS, OURS, 3) == (0.0, 1.0)


def test_pixels_are_compared_one_by_one_and_categories_whatever_they_are_called():
    theirs = {"images.3": np.zeros((2, 1, 2, 2)), "categories.3": np.array([7, 7, 2, 2])}
    theirs["images.3"][0, 0, 0, 0] = -16.0
    assert difference(OURS, theirs, 3) == (2.0, 1.0)


def test_partitions_that_have_nothing_to_do_with_each_other_score_below_a_half():
    theirs = OURS | {"categories.3": np.array([0, 1, 0, 1])}
    assert difference(OURS, theirs, 3)[1] < 0.5
