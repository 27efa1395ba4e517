import math

import numpy as np
import pytest
import torch

from infogan.datasets import lookup
from infogan.evaluate.morphometrics import SHAPES, measure_shapes
from infogan.evaluate.readers import read_luminance, read_shapes, reader_for
from infogan.judge.judge import Judge


@pytest.mark.parametrize(
    ("dataset", "factors", "paired"),
    [
        ("mnist", list(SHAPES), ["slant", "width"]),
        ("svhn", ["luminance"], ["luminance"]),
        ("seats", ["rotation", "width"], ["rotation", "width"]),
    ],
)
def test_what_is_read_follows_from_what_is_known_of_the_images(dataset, factors, paired):
    data_set = lookup(dataset)
    reader = reader_for(data_set, Judge(data_set).eval())
    assert [factor.name for factor in reader.factors] == factors
    assert list(reader.paired) == paired
    # Only a digit's shape is told apart from the digit.
    assert reader.within_class == data_set.shows_strokes
    images = torch.rand(2, 3, *data_set.image_shape)
    assert reader.read(images).shape == (2, 3, len(factors))


def test_shapes_are_read_off_the_mean_of_all_channels_image_by_image():
    images = torch.rand(2, 3, 3, 9, 11)
    shapes = read_shapes(images)
    expected = measure_shapes(images[1, 2].mean(dim=0, keepdim=True).numpy())
    np.testing.assert_allclose(shapes[1, 2], expected[0])
    assert math.isfinite(shapes.sum())


def test_luminance_is_0_for_black_and_1_for_white_in_any_range():
    images = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1, 1).expand(2, 3, 3, 4, 4)
    read = read_luminance(images, (-1.0, 1.0))
    np.testing.assert_allclose(read, np.array([[[0], [0.5], [1]]] * 2))
