import numpy as np
import pytest
import torch

from infogan.base.errors import InfoGANError
from infogan.method.codes import sample
from infogan.method.traversal import categorical_traversal, continuous_traversal
from infogan.report.grids import grid_image
from tests.layouts import code_layout

LAYOUT = code_layout(noise=7, categorical=(5, 3), continuous=2)
VALUES = (-2.0, -0.5, 0.0, 2.0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def columns_outside(layout, varied):
    return [i for i in range(layout.latent_dim) if i not in range(varied.start, varied.stop)]


def test_columns_of_a_categorical_traversal_are_its_categories_in_order():
    latents = categorical_traversal(LAYOUT, 1, 4, seeded())
    assert latents.shape == (4, 3, 17)
    for row in latents[:, :, LAYOUT.categorical_slice(1)]:
        assert torch.equal(row, torch.eye(3))


def test_only_the_varied_categorical_code_changes_within_a_row():
    latents = categorical_traversal(LAYOUT, 0, 4, seeded())
    others = latents[:, :, columns_outside(LAYOUT, LAYOUT.categorical_slice(0))]
    assert torch.equal(others, others[:, :1].expand_as(others))


def test_only_the_varied_continuous_code_changes_within_a_row():
    latents = continuous_traversal(LAYOUT, 1, VALUES, 3, seeded())
    column = LAYOUT.continuous_slice.start + 1
    assert torch.equal(latents[:, :, column], torch.tensor(VALUES).expand(3, 4))
    others = latents[:, :, columns_outside(LAYOUT, slice(column, column + 1))]
    assert torch.equal(others, others[:, :1].expand_as(others))


def test_everything_but_the_varied_code_is_one_draw_from_the_prior_per_row():
    drawn = sample(LAYOUT, 4, seeded())
    varied = LAYOUT.categorical_slice(0)
    latents = categorical_traversal(LAYOUT, 0, 4, seeded())
    others = columns_outside(LAYOUT, varied)
    assert torch.equal(latents[:, 2, others], drawn[:, others])
    column = LAYOUT.continuous_slice.start
    latents = continuous_traversal(LAYOUT, 0, VALUES, 4, seeded())
    others = columns_outside(LAYOUT, slice(column, column + 1))
    assert torch.equal(latents[:, 2, others], drawn[:, others])


def test_noise_and_the_fixed_codes_differ_between_rows():
    latents = continuous_traversal(LAYOUT, 0, VALUES, 6, seeded())[:, 0]
    assert len(latents[:, LAYOUT.noise_slice].unique(dim=0)) == 6
    assert len(latents[:, LAYOUT.continuous_slice.start + 1].unique()) == 6
    assert len(latents[:, LAYOUT.categorical_slice(0)].unique(dim=0)) > 1


def test_values_may_be_a_tensor():
    from_tensor = continuous_traversal(LAYOUT, 0, torch.tensor(VALUES), 3, seeded())
    from_tuple = continuous_traversal(LAYOUT, 0, VALUES, 3, seeded())
    assert torch.equal(from_tensor, from_tuple)


def test_the_same_random_state_gives_the_same_latents():
    first, again = (categorical_traversal(LAYOUT, 0, 4, seeded(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, categorical_traversal(LAYOUT, 0, 4, seeded(4)))


def test_a_layout_without_categorical_codes_varies_its_continuous_codes():
    layout = code_layout(noise=6, categorical=(), continuous=5)
    latents = continuous_traversal(layout, 4, VALUES, 3, seeded())
    assert torch.equal(latents[:, :, 10], torch.tensor(VALUES).expand(3, 4))


def test_a_layout_without_continuous_codes_varies_its_categorical_codes():
    layout = code_layout(noise=6, categorical=(4,), continuous=0)
    latents = categorical_traversal(layout, 0, 3, seeded())
    assert torch.equal(latents[:, :, 6:], torch.eye(4).expand(3, 4, 4))


@pytest.mark.parametrize("code", [-1, 2])
def test_a_code_that_the_layout_lacks_is_refused(code):
    with pytest.raises(InfoGANError, match=f"categorical code {code} cannot be varied"):
        categorical_traversal(LAYOUT, code, 4, seeded())
    with pytest.raises(InfoGANError, match=f"continuous code {code} cannot be varied"):
        continuous_traversal(LAYOUT, code, VALUES, 4, seeded())


def test_grid_places_each_image_at_its_row_and_column():
    images = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 1, 4, 5)
    grid = grid_image(images, padding=2)
    assert grid.shape == (4 + 2 + 4, 5 + 2 + 5 + 2 + 5)
    for row in range(2):
        for column in range(3):
            top, left = row * 6, column * 7
            tile = grid[top : top + 4, left : left + 5]
            assert np.array_equal(tile, images[row, column, 0])
    assert (grid[4:6] == 255).all()
    assert (grid[:, 5:7] == 255).all()
    assert (grid == 255).sum() == grid.size - images.size


def test_grid_of_colour_images_keeps_the_channels_last():
    images = np.arange(2 * 2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 2, 3, 4, 5)
    grid = grid_image(images, padding=0)
    assert grid.shape == (8, 10, 3)
    assert np.array_equal(grid[4:, 5:], images[1, 1].transpose(1, 2, 0))


def test_grid_of_images_with_two_channels_is_refused():
    with pytest.raises(InfoGANError, match="2 channels"):
        grid_image(np.zeros((1, 1, 2, 4, 5), dtype=np.uint8))
