import pytest
import torch

from infogan.method.maps import random_map
from infogan.params import Maps
from tests.layouts import seeded

NONE = Maps(rotation=0.0, shear=0.0, scale=0.0, shift=0.0, elastic=0.0)
NUM = 400


def coordinates(num, height, width):
    """Images whose two channels are each pixel's own x and y, from -1 to 1 across the image.

    Bilinear interpolation is exact on them, so a mapped image tells where its pixels came from.
    """
    x = (2 * torch.arange(width) + 1) / width - 1
    y = (2 * torch.arange(height) + 1) / height - 1
    grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
    return grid.expand(num, 2, height, width)


def affine_maps(limits, height=20, width=20, num=NUM):
    """The linear part [image, 2, 2] and shift [image, 2] that each image was mapped by."""
    images = coordinates(num, height, width)
    inside = (slice(None), slice(None), slice(height // 2 - 2, height // 2 + 2))
    inside = (*inside, slice(width // 2 - 2, width // 2 + 2))
    source = random_map(images, limits, seeded())[inside].flatten(2).transpose(1, 2)
    own = images[inside].flatten(2).transpose(1, 2)
    own = torch.cat([own, torch.ones(num, own.shape[1], 1)], dim=2)
    solved = torch.linalg.lstsq(own, source).solution.transpose(1, 2)
    return solved[:, :, :2], solved[:, :, 2]


def assert_uniform(values, limit):
    """Within [-limit, limit] and spread evenly over it."""
    assert values.abs().max() <= limit * 1.001 + 1e-5
    assert values.max() > 0.95 * limit
    assert values.min() < -0.95 * limit
    # Standard errors at 400 draws: 0.029 limit for the mean, 0.015 limit^2 for the variance.
    assert values.mean().item() == pytest.approx(0, abs=0.15 * limit)
    assert values.var().item() == pytest.approx(limit**2 / 3, abs=0.08 * limit**2)


def test_shift_is_uniform_up_to_its_share_of_half_the_image_along_each_axis():
    linear, shift = affine_maps(NONE.model_copy(update={"shift": 0.2}), height=16, width=24)
    assert torch.allclose(linear, torch.eye(2).expand_as(linear), atol=1e-4)
    assert_uniform(shift[:, 0], 0.2)
    assert_uniform(shift[:, 1], 0.2)
    assert torch.corrcoef(shift.T)[0, 1].abs() < 0.25


def test_rotation_is_uniform_up_to_its_limit_and_keeps_lengths():
    linear, shift = affine_maps(NONE.model_copy(update={"rotation": 0.4}))
    assert torch.allclose(linear @ linear.mT, torch.eye(2).expand_as(linear), atol=1e-3)
    assert torch.allclose(torch.linalg.det(linear), torch.ones(NUM), atol=1e-3)
    assert torch.allclose(shift, torch.zeros(NUM, 2), atol=1e-4)
    assert_uniform(torch.atan2(linear[:, 1, 0], linear[:, 0, 0]), 0.4)


def test_shear_slides_rows_by_the_tangent_of_up_to_its_limit():
    linear, _ = affine_maps(NONE.model_copy(update={"shear": 0.9}))
    assert torch.allclose(linear[:, 0, 0], torch.ones(NUM), atol=1e-4)
    assert torch.allclose(linear[:, 1], torch.tensor([0.0, 1.0]).expand(NUM, 2), atol=1e-4)
    assert_uniform(linear[:, 0, 1].atan(), 0.9)


def test_scale_is_relative_and_drawn_for_each_axis():
    linear, _ = affine_maps(NONE.model_copy(update={"scale": 0.25}))
    diagonal = linear.diagonal(dim1=1, dim2=2)
    assert torch.allclose(linear, torch.diag_embed(diagonal), atol=1e-4)
    assert_uniform(diagonal[:, 0] - 1, 0.25)
    assert_uniform(diagonal[:, 1] - 1, 0.25)
    assert torch.corrcoef(diagonal.T)[0, 1].abs() < 0.25


def displacements(limits, size, num=NUM):
    """How far each pixel was moved, [image, axis, row, column]."""
    images = coordinates(num, size, size)
    return random_map(images, limits, seeded()) - images


def test_elastic_moves_the_points_of_a_mesh_each_by_its_own_draw():
    # On 4x4 pixels the mesh is the pixels; at the border zeros from outside would mix in.
    moved = displacements(NONE.model_copy(update={"elastic": 0.2}), 4)[:, :, 1:3, 1:3].flatten(1)
    for axis_of_point in moved.T:
        assert_uniform(axis_of_point, 0.2)
    assert (torch.corrcoef(moved.T) - torch.eye(8)).abs().max() < 0.25


def test_between_the_points_of_the_mesh_elastic_is_smooth_and_not_affine():
    moved = displacements(NONE.model_copy(update={"elastic": 0.1}), 28)[:, :, 5:-5, 5:-5]
    assert moved.diff(dim=2).abs().max() < 0.04
    curvature = moved.diff(n=2, dim=2).abs().amax(dim=(1, 2, 3))
    assert (curvature > 1e-3).all()


def test_without_elastic_nothing_more_is_drawn():
    rngs = seeded(), seeded()
    random_map(torch.zeros(3, 1, 8, 8), NONE, rngs[0])
    torch.empty(3, 6).uniform_(generator=rngs[1])
    assert torch.equal(rngs[0].get_state(), rngs[1].get_state())


def test_outside_the_image_is_zero():
    images = torch.ones(50, 1, 12, 12)
    mapped = random_map(images, NONE.model_copy(update={"shift": 1.9}), seeded())
    assert mapped.flatten(1).min(dim=1).values.median() == 0
    assert mapped.max() <= 1 + 1e-5
