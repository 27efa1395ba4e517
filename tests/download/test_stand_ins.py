"""The rendered stand-ins: heads in place of Faces, seats in place of Chairs."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from infogan.datasets import lookup
from infogan.download.heads import IDENTITY, render_heads
from infogan.download.packing import READERS
from infogan.download.seats import STYLE, render_seats
from infogan.download.solids import sample_traits
from tests.layouts import seeded
from tests.toy_data import register

RENDERERS = {"heads": (render_heads, IDENTITY), "seats": (render_seats, STYLE)}


def inputs(name, num, **changed):
    """Each factor in the middle of its range but for those given, and so many sets of traits."""
    factors = lookup(name).factors
    middle = {factor.name: (factor.low + factor.high) / 2 for factor in factors}
    traits = sample_traits(RENDERERS[name][1], num, seeded())
    return torch.tensor([list((middle | changed).values())]).repeat(num, 1), traits


def heads_with(num=6, **changed):
    """So many identities, with these factors."""
    return render_heads(*inputs("heads", num, **changed)).float()


def seats_with(num=6, styles=None, **changed):
    """So many styles, or these, with these factors."""
    factors, traits = inputs("seats", num, **changed)
    return render_seats(factors, traits if styles is None else styles).float()


@pytest.mark.parametrize("name", ["heads", "seats"])
def test_a_split_is_always_the_same_and_the_other_is_different(monkeypatch, name):
    data_set = replace(lookup(name), split_sizes={"train": 6, "test": 6})
    register(monkeypatch, name, data_set)
    train, again, test = (READERS[name]({}, split) for split in ("train", "train", "test"))
    assert [array.dtype for array in train] == [np.uint8, np.float32]
    assert train[0].shape == (6, *data_set.image_shape)
    assert train[1].shape == (6, len(data_set.factors))
    for first, second, other in zip(train, again, test, strict=True):
        assert np.array_equal(first, second)
        assert not np.array_equal(first, other)


@pytest.mark.parametrize(("name", "num"), [("heads", 18), ("seats", 10)])
def test_an_image_does_not_depend_on_those_beside_it(name, num):
    values, traits = inputs(name, num)
    render = RENDERERS[name][0]
    assert torch.equal(render(values, traits)[num - 1 :], render(values[-1:], traits[-1:]))


# Heads.


def test_heads_are_symmetric_so_that_turning_the_other_way_mirrors_the_image():
    there = heads_with(azimuth=0.7, light=0.5, elevation=0.2)
    back = heads_with(azimuth=-0.7, light=-0.5, elevation=0.2)
    assert (there - back.flip(-1)).abs().max() <= 1
    assert (there - back).abs().mean() > 10


def test_light_from_the_right_brightens_the_right():
    for light in (0.3, 1.4):
        images = heads_with(light=light)
        assert (images[..., 16:].mean(dim=(1, 2, 3)) > images[..., :16].mean(dim=(1, 2, 3))).all()


def test_heads_grow_wider_with_the_width_in_proportion():
    def wide(width):
        return (heads_with(width=width)[:, 0, 12] > 20).sum(dim=1).float().mean()

    assert (wide(1.2) / wide(0.8)).item() == pytest.approx(1.5, abs=0.1)


def test_a_head_seen_from_above_shows_more_hair_and_one_from_below_more_skin():
    # Hair fills the upper half then, and is darker than skin.
    above, below = heads_with(elevation=0.35), heads_with(elevation=-0.35)
    assert (above[..., :16, :].mean(dim=(1, 2, 3)) < below[..., :16, :].mean(dim=(1, 2, 3))).all()


def test_identities_differ_by_as_much_as_a_factor_changes():
    images = heads_with(num=12)
    between = (images[:6] - images[6:]).abs().mean()
    turned = (heads_with(azimuth=0.3) - heads_with(azimuth=-0.3)).abs().mean()
    assert 0.3 * turned < between < 3 * turned


# Seats.


def test_both_ends_of_the_circle_are_the_same_image():
    first, last = seats_with(rotation=-math.pi), seats_with(rotation=math.pi)
    assert (first - last).abs().mean() < 0.5


def test_no_other_turn_gives_the_same_image():
    images = [seats_with(rotation=0.8 + turn) for turn in (0, 0.5, math.pi / 2, math.pi)]
    for other in images[1:]:
        assert ((images[0] - other).abs().mean(dim=(1, 2, 3)) > 3).all()


def test_outlines_mirror_when_the_seat_turns_the_other_way():
    # The light comes from the left, so shades do not; seats themselves are symmetric.
    there = seats_with(rotation=0.8) < 250
    back = seats_with(rotation=-0.8).flip(-1) < 250
    assert (there != back).float().mean() < 0.01


def test_seats_grow_wider_with_the_width_in_proportion():
    no_arms = sample_traits(STYLE, 6, seeded())
    no_arms[:, STYLE.index("arm_kind")] = -1

    def wide(width):
        columns = (seats_with(styles=no_arms, width=width) < 250).any(dim=2)
        return columns.sum(dim=(1, 2)).float().mean()

    assert (wide(1.2) / wide(0.8)).item() == pytest.approx(1.5, abs=0.1)


def test_the_largest_seats_fit_into_the_picture():
    styles = torch.ones(8, len(STYLE))
    styles[:4, STYLE.index("back_kind")] = -1
    styles[::2, STYLE.index("back_pitch")] = -1
    styles[::3, STYLE.index("elevation")] = -1
    for rotation in (0.0, 0.8, 2.4):
        images = seats_with(num=8, styles=styles, rotation=rotation, width=1.3)
        assert images[..., 0, :].min() == 255
        assert images[..., :, [0, -1]].min() == 255
        assert images[..., -1, :].min() == 255


@pytest.mark.parametrize("trait", ["leg_kind", "arm_kind", "back_kind"])
def test_kinds_of_legs_arms_and_back_look_different(trait):
    styles = torch.zeros(3, len(STYLE))
    styles[:, STYLE.index(trait)] = torch.tensor([-0.9, 0.1, 0.9])
    first, second, third = seats_with(num=3, styles=styles, rotation=0.6)
    for one, other in ((first, second), (second, third), (first, third)):
        assert (one - other).abs().mean() > 1
