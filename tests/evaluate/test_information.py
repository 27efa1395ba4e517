import numpy as np
import torch
from torch import nn

from infogan.base.dataset import Factor, attribute
from infogan.evaluate.information import category_information
from infogan.method.networks import Generator
from tests.layouts import code_layout
from tests.rendered import seeded


class Painter(Generator):
    """A generator that only repeats its latents, in one row of pixels."""

    layout = code_layout(noise=1, categorical=(4, 2), continuous=0)

    def __init__(self):
        nn.Module.__init__(self)
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, latents):
        return latents[:, None, None]


def information(read, *factors):
    rng = seeded(2)
    return category_information(Painter(), read, Painter.layout, factors, 4000, rng)


def test_a_category_that_is_the_factor_gives_all_of_it_away_and_the_other_nothing():
    shares = information(
        lambda images: torch.stack(
            [images[..., 0, 0, 1:5] @ torch.arange(4.0), images[..., 0, 0, 5]], dim=-1
        ),
        Factor("number", 0.0, 3.0),
        attribute("second"),
    )
    np.testing.assert_allclose(shares, np.eye(2), atol=0.01)


def test_half_of_an_attribute_is_known_from_a_category_that_decides_it_half_of_the_time():
    # Categories 0 and 1 have it never and always, 2 and 3 by a coin's throw.
    def read(images):
        category = images[..., 0, 0, 1:5].argmax(dim=-1)
        coin = images[..., 0, 0, 0] > 0
        return torch.where(category < 2, category == 1, coin).float()[..., None]

    # The reading need not be a whole number.
    def blurred(images):
        return 0.1 + 0.7 * read(images)

    for reading in (read, blurred):
        shares = information(reading, attribute("hat"))
        np.testing.assert_allclose(shares[:, 0], [0.5, 0], atol=0.03)


def test_a_factor_that_never_changes_is_not_known():
    shares = information(lambda images: torch.zeros(*images.shape[:-3], 1), attribute("hat"))
    np.testing.assert_array_equal(shares, [[0], [0]])
