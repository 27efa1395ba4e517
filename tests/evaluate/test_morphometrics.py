import math

import numpy as np
import pandas as pd
import pytest

from infogan.evaluate.morphometrics import SHAPES, measure_shapes

SIDE = 28


def measure(image):
    return shapes(image[None].astype(np.float32)).iloc[0]


def shapes(images):
    return pd.DataFrame(measure_shapes(images), columns=list(SHAPES))


def drawn(width, height, angle=0.0, middle=(0.0, 0.0)):
    """A filled box, sheared by the angle and anti-aliased, in pixels from the image's middle."""
    fine = (np.arange(8 * SIDE) + 0.5) / 8 - SIDE / 2
    x, y = fine[None, :] - middle[0], -fine[:, None] - middle[1]
    inside = (np.abs(x - y * math.tan(angle)) <= width / 2) & (np.abs(y) <= height / 2)
    return inside.reshape(SIDE, 8, SIDE, 8).mean(axis=(1, 3))


def outline(width, height, thickness, **placed):
    inner = drawn(width - 2 * thickness, height - 2 * thickness, **placed)
    return drawn(width, height, **placed) - inner


@pytest.fixture(scope="module")
def digits(digit_images):
    return digit_images[:100, 0].numpy() / np.float32(255)


def test_upright_bar_has_its_own_size_and_no_slant():
    bar = measure(drawn(4, 20))
    assert bar.slant == pytest.approx(0, abs=1e-6)
    assert bar.area == pytest.approx(20 * 4)
    # Mean distance to the edge of a t by l bar is t (1 - t / 3l) / 4.
    assert bar.thickness == pytest.approx(4 * (1 - 4 / 60), abs=0.05)
    assert bar.width + bar.thickness == pytest.approx(4, abs=0.1)
    assert bar.height + bar.thickness == pytest.approx(20, abs=0.25)
    assert bar.length == pytest.approx(20 - 4, abs=2)


def test_outline_is_as_wide_and_high_as_the_path_of_the_pen():
    for thickness in (2, 3, 4):
        box = measure(outline(15, 22, thickness))
        assert box.thickness == pytest.approx(thickness, abs=0.2)
        assert box.width == pytest.approx(15 - thickness, abs=0.5)
        assert box.height == pytest.approx(22 - thickness, abs=0.5)
        path = 2 * (15 - thickness) + 2 * (22 - thickness)
        assert box.length == pytest.approx(path, rel=0.05)


@pytest.mark.parametrize("angle", [-0.4, 0.25])
def test_shear_changes_nothing_but_the_slant_of_an_outline(angle):
    upright, leaning = measure(outline(10, 18, 3)), measure(outline(10, 18, 3, angle=angle))
    assert leaning.slant == pytest.approx(angle, abs=0.01)
    # The upright edges lie on the pixel grid and the leaning ones are grey: a tenth of a stroke.
    for name in ("thickness", "width", "height"):
        assert leaning[name] == pytest.approx(upright[name], abs=0.4), name
    assert leaning.area == pytest.approx(upright.area, rel=0.02)
    assert leaning.length == pytest.approx(upright.length, rel=0.1)


def test_measures_do_not_depend_on_where_the_digit_stands():
    here, there = (outline(10, 16, 2, middle=(d, -d)) for d in (-2, 3))
    wide = np.pad(here, ((0, 0), (4, 4)))
    for image in (there, wide):
        np.testing.assert_allclose(measure(image), measure(here), atol=1e-4)


def test_faint_and_hazy_digits_have_the_shape_of_clear_ones(digits):
    clear = shapes(digits)
    faint = shapes(0.4 * digits)
    np.testing.assert_allclose(faint, clear, atol=1e-3)

    haze = 0.1 * np.random.default_rng(0).random(digits.shape)
    hazy = shapes(np.clip(digits + haze, 0, 1))
    assert np.abs(hazy.slant - clear.slant).mean() == pytest.approx(0, abs=0.01)
    assert np.abs(hazy.width - clear.width).mean() == pytest.approx(0, abs=0.25)
    assert np.abs(hazy.thickness - clear.thickness).mean() == pytest.approx(0, abs=0.25)


@pytest.mark.parametrize("level", [0.0, 0.05])
def test_blank_image_measures_zero_throughout(level):
    assert (measure(np.full((SIDE, SIDE), level)) == 0).all()


def test_one_dot_one_row_and_a_full_image_have_finite_measures():
    images = np.zeros((3, SIDE, SIDE), dtype=np.float32)
    images[0, 9, 6] = images[1, 9, 3:20] = images[2] = 1
    table = shapes(images)
    assert np.isfinite(table.to_numpy()).all()
    assert table.slant.tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_measures_do_not_depend_on_the_batch(digits):
    one_by_one = [measure_shapes(digits[[i]])[0] for i in (0, 70)]
    np.testing.assert_array_equal(measure_shapes(digits)[[0, 70]], one_by_one)
