import pytest
import torch

from infogan.datasets.heads import HEAD_FACTORS
from infogan.download.heads import draw_heads, render_heads, sample_identities
from tests.rendered import middle_values, seeded

NAMES = [factor.name for factor in HEAD_FACTORS]


def heads_with(num=6, **changed):
    """Six identities, each factor in the middle of its range but for those given."""
    factors = middle_values(HEAD_FACTORS, num)
    for name, value in changed.items():
        factors[:, NAMES.index(name)] = value
    return render_heads(factors, sample_identities(num, seeded())).float()


def test_heads_have_an_image_and_a_value_of_each_factor():
    images, factors = draw_heads(3, seeded())
    assert images.dtype == torch.uint8
    assert images.shape == (3, 1, 32, 32)
    assert factors.shape == (3, len(HEAD_FACTORS))


def test_the_same_seed_gives_the_same_heads_and_another_seed_does_not():
    first, again, other = (draw_heads(20, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.factors, again.factors)
    assert not torch.equal(first.images, other.images)


def test_a_head_does_not_depend_on_the_heads_beside_it():
    factors, identities = middle_values(HEAD_FACTORS, 19), sample_identities(19, seeded())
    together = render_heads(factors, identities)
    assert torch.equal(render_heads(factors[17:], identities[17:]), together[17:])


def test_heads_are_symmetric_so_that_turning_the_other_way_mirrors_the_image():
    there = heads_with(azimuth=0.7, light=0.5, elevation=0.2)
    back = heads_with(azimuth=-0.7, light=-0.5, elevation=0.2)
    assert (there - back.flip(-1)).abs().max() <= 1
    assert (there - back).abs().mean() > 10


def test_light_from_the_right_brightens_the_right():
    for light in (0.3, 0.8, 1.4):
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
