import numpy as np

from benchmarks.reproducibility import difference

OURS = {"images.3": np.zeros((2, 1, 2, 2)), "categories.3": np.array([0, 0, 1, 1])}


def test_pixels_are_compared_one_by_one_and_categories_whatever_they_are_called():
    theirs = {"images.3": np.zeros((2, 1, 2, 2)), "categories.3": np.array([7, 7, 2, 2])}
    assert difference(OURS, theirs, 3) == (0.0, 1.0)
    theirs["images.3"][0, 0, 0] = [-16.0, 16.0]
    theirs["categories.3"] = np.array([0, 1, 0, 1])
    pixels, agreement = difference(OURS, theirs, 3)
    assert pixels == 4.0
    assert agreement < 0.5
