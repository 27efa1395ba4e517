import pytest
import torch
from torch import Tensor

from infogan.evaluate.distance import generated_frechet
from infogan.evaluate.generated import generated_accuracy
from tests.evaluate.hand_made import FirstRow, HandMade
from tests.layouts import code_layout

LAYOUT = code_layout(noise=3, categorical=(10,), continuous=2)


def show_category(latents: Tensor, order: list[int]) -> Tensor:
    """Lights pixel `order[category]` of the first row."""
    images = torch.zeros(len(latents), 1, 28, 28)
    images[:, 0, 0, :10][:, order] = latents[:, LAYOUT.categorical_slice(0)]
    return images


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def accuracy(draw) -> float:
    judge = FirstRow(10)
    return generated_accuracy(HandMade(draw), judge, LAYOUT, 400, 10, rng())


def test_a_category_that_shows_one_digit_whichever_it_is_counts_fully():
    order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
    assert accuracy(lambda latents: show_category(latents, order)) == 1


def test_a_code_that_the_generator_ignores_is_right_as_often_as_guessing():
    constant = torch.zeros(1, 1, 28, 28)
    constant[..., 0, 4] = 1
    assert accuracy(lambda latents: constant.expand(len(latents), -1, -1, -1)) == 0.1


def test_two_categories_that_share_a_digit_count_once():
    order = [0, 0, 2, 3, 4, 5, 6, 7, 8, 9]

    def draw(latents: Tensor) -> Tensor:
        shown = torch.tensor(order)[latents[:, LAYOUT.categorical_slice(0)].argmax(dim=1)]
        images = torch.zeros(len(latents), 1, 28, 28)
        images[torch.arange(len(latents)), 0, 0, shown] = 1
        return images

    assert accuracy(draw) == pytest.approx(0.9)


def test_frechet_distance_is_small_for_the_same_images_and_grows_with_a_shift():
    patterns = torch.rand(300, 1, 28, 28, generator=rng())

    def distance(shift: float) -> float:
        generator = HandMade(lambda latents: patterns[: len(latents)] + shift)
        return generated_frechet(generator, FirstRow(10), LAYOUT, patterns, rng())

    assert distance(0.0) == pytest.approx(0, abs=1e-6)
    assert distance(0.5) == pytest.approx(0.25 * 28 * 28, rel=1e-3)
