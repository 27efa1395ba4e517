import numpy as np
import pytest
import torch

from infogan.base.errors import InfoGANError
from infogan.method.codes import sample
from infogan.method.networks import TABLES, build_networks
from infogan.method.traversal import code_traversal, code_traversals, generate
from infogan.report.grids import grid_image
from tests.layouts import code_layout, seeded

LAYOUT = code_layout(noise=7, categorical=(5, 3), continuous=2)
VALUES = torch.tensor([-2.0, -0.5, 0.0, 2.0])


def test_each_row_is_one_draw_from_the_prior_along_which_one_code_takes_every_value():
    drawn = sample(LAYOUT, 4, seeded())[:, None]
    expected = drawn.repeat(1, 3, 1)
    expected[:, :, LAYOUT.categorical_slice(1)] = torch.eye(3)
    assert torch.equal(code_traversal(LAYOUT, 1, VALUES, 4, seeded()), expected)
    expected = drawn.repeat(1, 4, 1)
    expected[:, :, LAYOUT.continuous_slice.start + 1] = VALUES
    assert torch.equal(code_traversal(LAYOUT, 3, VALUES, 4, seeded()), expected)


def test_there_is_a_grid_for_every_code_by_its_name():
    grids = code_traversals(LAYOUT, VALUES, 3, seeded())
    assert {name: grid.shape[:2] for name, grid in grids.items()} == {
        **{"c1": (3, 5), "c2": (3, 3)},
        **{"c3": (3, 4), "c4": (3, 4)},
    }
    changed = [grids[name].std(dim=1).sum(dim=0).nonzero().flatten().tolist() for name in grids]
    assert changed == [[7, 8, 9, 10, 11], [12, 13, 14], [15], [16]]


def test_generated_images_are_those_of_the_grid_whatever_the_batch(options):
    generator = build_networks(TABLES["mnist"], LAYOUT, options, seed=0)[0].eval()
    latents = code_traversal(LAYOUT, 0, VALUES, 3, seeded())
    images = generate(generator, latents, batch_size=4)
    assert images.shape == (3, 5, 1, 28, 28)
    assert torch.allclose(images.flatten(0, 1), generator(latents.flatten(0, 1)), atol=1e-5)


def test_grid_places_each_image_at_its_row_and_column_and_keeps_the_channels_last():
    pixels = np.arange(2 * 3 * 3 * 4 * 5) % 255
    images = pixels.astype(np.uint8).reshape(2, 3, 3, 4, 5)
    grid = grid_image(images)
    assert grid.shape == (4 + 2 + 4, 5 + 2 + 5 + 2 + 5, 3)
    for row, column in np.ndindex(2, 3):
        tile = grid[6 * row : 6 * row + 4, 7 * column : 7 * column + 5]
        assert np.array_equal(tile, images[row, column].transpose(1, 2, 0))
    assert (grid == 255).sum() == grid.size - images.size


def test_grid_of_images_with_two_channels_is_refused():
    with pytest.raises(InfoGANError, match="2 channels"):
        grid_image(np.zeros((1, 1, 2, 4, 5), dtype=np.uint8))
