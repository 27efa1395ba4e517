import math

import pytest
import torch

from infogan.datasets.seats import SEAT_FACTORS
from infogan.download.seats import STYLE, draw_seats, render_seats, sample_styles
from tests.rendered import middle_values, seeded

NAMES = [factor.name for factor in SEAT_FACTORS]


def seats_with(num=6, styles=None, **changed):
    """Six styles, each factor in the middle of its range but for those given."""
    factors = middle_values(SEAT_FACTORS, num)
    for name, value in changed.items():
        factors[:, NAMES.index(name)] = value
    return render_seats(factors, sample_styles(num, seeded()) if styles is None else styles).float()


def test_seats_have_an_image_and_a_value_of_each_factor():
    images, factors = draw_seats(3, seeded())
    assert images.dtype == torch.uint8
    assert images.shape == (3, 1, 64, 64)
    assert factors.shape == (3, len(SEAT_FACTORS))


def test_the_same_seed_gives_the_same_seats_and_another_seed_does_not():
    first, again, other = (draw_seats(10, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.factors, again.factors)
    assert not torch.equal(first.images, other.images)


def test_a_seat_does_not_depend_on_the_seats_beside_it():
    factors, styles = middle_values(SEAT_FACTORS, 11), sample_styles(11, seeded())
    together = render_seats(factors, styles)
    assert torch.equal(render_seats(factors[9:], styles[9:]), together[9:])


def test_both_ends_of_the_circle_are_the_same_image():
    first, last = seats_with(rotation=-math.pi), seats_with(rotation=math.pi)
    assert (first - last).abs().mean() < 0.5


@pytest.mark.parametrize("turn", [0.5, math.pi / 2, math.pi])
def test_no_other_turn_gives_the_same_image(turn):
    for start in (0.0, 0.8, 2.0):
        apart = seats_with(rotation=start) - seats_with(rotation=start + turn)
        assert (apart.abs().mean(dim=(1, 2, 3)) > 3).all()


def test_outlines_mirror_when_the_seat_turns_the_other_way():
    # The light comes from the left, so shades do not; seats themselves are symmetric.
    there = seats_with(rotation=0.8) < 250
    back = seats_with(rotation=-0.8).flip(-1) < 250
    assert (there != back).float().mean() < 0.01


def test_seats_grow_wider_with_the_width_in_proportion():
    no_arms = sample_styles(6, seeded())
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
    for rotation in (0.0, 0.8, 1.6, 2.4, 3.1):
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
