import math

import numpy as np
import pytest

from infogan.report.symptoms import is_constant, symptoms, unbalanced_categories

FLOOR = 0.3
HEALTHY = {"nmi": 0.9, "frechet_classifier": 2.5, "bound_cont_nats": -0.3}


def changing_grid(by: int = 255) -> np.ndarray:
    """Three rows of four images, of which one pixel changes in one row."""
    grid = np.full((3, 4, 1, 5, 6), 100 if by <= 155 else 0, np.uint8)
    grid[1, 2, 0, 3, 4] += np.uint8(by)
    return grid


def test_a_healthy_run_has_no_symptoms():
    grids = {"c1": changing_grid(), "c2": changing_grid(), "samples": changing_grid(0)}
    assert symptoms(HEALTHY, [[90, 10], [12, 88]], grids, ["c1", "c2"], FLOOR) == []
    assert symptoms(HEALTHY, None, grids, ["c1"], FLOOR) == []  # without categories


def test_all_signs_of_a_run_are_told():
    grids = {"c1": changing_grid(), "c2": np.zeros_like(changing_grid())}
    metrics = HEALTHY | {"ari": math.nan, "mig": -math.inf, "frechet_classifier": 58.77}
    assert symptoms(metrics, [[96, 0], [2, 2]], grids, ["c1", "c2"], FLOOR) == [
        "ari is nan",
        "mig is -inf",
        "the images are nothing like the data: Frechet distance 58.8",
        "Q puts 96.0% of the test images into category 0 of c1",
        "c2 does not change the images",
    ]


@pytest.mark.parametrize(
    ("num_images", "found"),
    [
        ([5, 0, 95], "puts 95.0% of the test images into category 2 of c1"),
        ([6, 0, 94], "hardly uses 1 of the 3 categories of c1 (1)"),
        # A category is unused below a tenth of an equal share, here 100.
        ([100, 9, 190, 101], "hardly uses 1 of the 4 categories of c1 (1)"),
        ([100, 10, 190, 100], None),
        (
            [50] * 3 + [0] * 12,
            "hardly uses 12 of the 15 categories of c1 (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ...)",
        ),
    ],
)
def test_categories_that_hold_nearly_all_images_or_next_to_none_are_named(num_images, found):
    assert unbalanced_categories(num_images) == ([f"Q {found}"] if found else [])


@pytest.mark.parametrize(("by", "constant"), [(2, True), (3, False)])
def test_a_traversal_is_constant_up_to_two_grey_levels_within_a_row(by, constant):
    rows = np.arange(0, 90, 30, np.uint8)[:, None, None, None, None]
    assert is_constant(changing_grid(by) + rows) is constant
