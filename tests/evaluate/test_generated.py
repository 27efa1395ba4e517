import pytest
import torch
from torch import Tensor

from infogan.base.images import Split
from infogan.evaluate import distance, generated
from tests.evaluate.hand_made import DATA_SET, FirstRow, subject_of


@pytest.fixture
def accuracy(make_params):
    """`accuracy_generated` where category i shows class `shown[i]`."""
    params = make_params({"codes.categorical": [4], "evaluate.num_samples": 400})

    def measured(shown: list[int]) -> float:
        def draw(latents: Tensor) -> Tensor:
            categories = latents[:, params.codes.categorical_slice(0)].argmax(dim=1)
            images = torch.zeros(len(latents), 1, 28, 28)
            images[torch.arange(len(latents)), 0, 0, torch.tensor(shown)[categories]] = 1
            return images

        found = generated.measure(subject_of(params, draw, FirstRow(4)))
        return found.metrics["accuracy_generated"]

    return measured


@pytest.mark.parametrize(
    ("shown", "expected"), [([3, 1, 0, 2], 1), ([2, 2, 2, 2], 1 / 4), ([0, 0, 2, 3], 3 / 4)]
)
def test_each_class_counts_for_one_of_the_categories_that_show_it(accuracy, shown, expected):
    assert accuracy(shown) == expected


def test_frechet_distance_is_small_for_the_same_images_and_grows_with_a_shift(make_params):
    rng = torch.Generator().manual_seed(7)
    patterns = torch.randint(256, (300, 1, 28, 28), generator=rng).to(torch.uint8)
    train = Split(patterns, torch.zeros(300, dtype=torch.uint8))

    def distance_at(shift: float) -> float:
        def draw(latents: Tensor) -> Tensor:
            return patterns[: len(latents)] / 255 + shift

        params = make_params({"evaluate.num_samples": 300})
        subject = subject_of(params, draw, FirstRow(10), DATA_SET, train=train)
        return distance.measure(subject).metrics["frechet_classifier"]

    assert distance_at(0.0) == pytest.approx(0, abs=1e-6)
    assert distance_at(0.5) == pytest.approx(0.25 * 28 * 28, rel=1e-3)
