"""Generators and classifiers made by hand, whose measurements are known."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from infogan.evaluate.generated import continuous_code_scores, generated_accuracy, generated_frechet
from infogan.evaluate.morphometrics import SHAPES
from infogan.judge.judge import Judge
from infogan.method.networks import Generator
from tests.layouts import code_layout

LAYOUT = code_layout(noise=3, categorical=(10,), continuous=2)
VALUES = np.linspace(-2, 2, 9)


class HandMade(Generator):
    """A generator given as a function of the latents."""

    def __init__(self, draw) -> None:
        nn.Module.__init__(self)
        self.unused = nn.Parameter(torch.zeros(1))
        self.draw = draw

    def forward(self, latents: Tensor) -> Tensor:
        return self.draw(latents)


class FirstRow(Judge):
    """Names the brightest of the first `num_classes` pixels of the first row."""

    def __init__(self, num_classes: int) -> None:
        nn.Module.__init__(self)
        self.value_range = (0.0, 1.0)
        self.features = nn.Flatten()
        self.decision = nn.Linear(28 * 28, num_classes, bias=False)
        nn.init.zeros_(self.decision.weight)
        with torch.no_grad():
            self.decision.weight[:, :num_classes] = torch.eye(num_classes)


def show_category(latents: Tensor, order: list[int]) -> Tensor:
    """Lights pixel `order[category]` of the first row."""
    images = torch.zeros(len(latents), 1, 28, 28)
    images[:, 0, 0, :10][:, order] = latents[:, LAYOUT.categorical_slice(0)]
    return images


def draw_bar(slant: Tensor, half_width: Tensor) -> Tensor:
    """Two upright strokes, `2 * half_width` apart, sheared by tan(slant), the top to the right."""
    y = torch.linspace(-13.5, 13.5, 28)[None, :, None]
    x = torch.linspace(-13.5, 13.5, 28)[None, None, :]
    straight = x + torch.tan(slant)[:, None, None] * y
    distance = (straight.abs() - half_width[:, None, None]).abs()
    inside = (y.abs() <= 8).float()
    return ((1.6 - distance).clamp(0, 1) * inside)[:, None]


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


def scores(draw, num_trajectories: int = 4):
    generator = HandMade(draw)
    judge = FirstRow(10)
    args = (generator, judge, LAYOUT, num_trajectories, VALUES, rng())
    return continuous_code_scores(*args)


def test_codes_that_lean_and_widen_are_found_and_score_near_one():
    def draw(latents: Tensor) -> Tensor:
        widen, lean = latents[:, LAYOUT.continuous_slice].T
        return draw_bar(-0.15 * lean, 5 + widen)

    # Enough for several trajectories of each category.
    result = scores(draw, num_trajectories=40)
    assert result.roles["slant"] == (1, -1)
    assert result.roles["width"] == (0, 1)
    for name in ("slant", "width"):
        assert result.scores[f"{name}_spearman"] == pytest.approx(1, abs=0.05)
        assert result.scores[f"{name}_spearman_extrapolated"] == pytest.approx(1, abs=0.05)
        # The codes alone decide these shapes.
        assert result.scores[f"{name}_share"] == pytest.approx(1, abs=0.05)
    # By hand: 0.15 radians and 2 pixels per unit of code, over two units.
    assert result.scores["slant_change"] == pytest.approx(0.3, abs=0.03)
    assert result.scores["width_change"] == pytest.approx(4, abs=0.4)
    # To lean or to move two strokes apart is an affine map, but for the strokes' thickness.
    assert result.scores["warp_residual"] < 0.3
    assert result.leakage.shape == (2, len(SHAPES))
    assert result.leakage[1, SHAPES.index("slant")] == pytest.approx(-1, abs=0.05)
    assert abs(result.leakage[0, SHAPES.index("slant")]) < 0.5


def test_codes_that_do_nothing_score_zero():
    constant = draw_bar(torch.tensor([0.2]), torch.tensor([4.0]))
    result = scores(lambda latents: constant.expand(len(latents), -1, -1, -1))
    assert result.scores["slant_spearman"] == 0
    assert result.scores["width_spearman"] == 0
    for name in ("slant_share", "slant_change", "width_share", "width_change", "warp_residual"):
        assert result.scores[name] == pytest.approx(0, abs=1e-6)
    assert result.scores["digit_kept"] == 1


def test_digit_kept_is_the_share_of_images_with_the_digit_of_the_middle():
    def draw(latents: Tensor) -> Tensor:
        images = torch.zeros(len(latents), 1, 28, 28)
        high = latents[:, LAYOUT.continuous_slice].max(dim=1).values > 1.2
        images[torch.arange(len(latents)), 0, 0, high.long()] = 1
        return images

    result = scores(draw)
    # Of the values beyond 1, -2 and -1.5 keep the digit and 1.5 and 2 change it.
    assert result.scores["digit_kept"] == 1
    assert result.scores["digit_kept_extrapolated"] == 0.5
