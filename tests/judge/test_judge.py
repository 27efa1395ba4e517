import math
from dataclasses import replace

import pytest
import torch

from infogan.base.dataset import Factor, rotation
from infogan.base.errors import InfoGANError
from infogan.base.factors import sample_factors
from infogan.base.images import scale
from infogan.base.tensors import save_tensors
from infogan.datasets import lookup
from infogan.judge.judge import (
    Judge,
    classify,
    load_judge,
    penultimate_features,
    read_factors,
    reading_r2,
    save_judge,
    train_judge,
)
from infogan.params import Judging
from tests.layouts import seeded

MAPS = {"rotation": 0.3, "shear": 0.3, "scale": 0.2, "shift": 0.1}
NO_MAPS = dict.fromkeys(MAPS, 0.0)
FACTORS = (Factor("size", 20.0, 30.0), rotation("turn"))
BARS = replace(
    lookup("digits"),
    image_shape=(1, 16, 14),
    value_range=(-1.0, 1.0),
    class_names=("across", "upright", "cross"),
)
SPOTS = replace(lookup("heads"), image_shape=(1, 16, 20), value_range=(-1.0, 1.0), factors=FACTORS)


def bars(num, seed=0):
    """Images of horizontal (0), vertical (1) or crossed (2) bars at random places, with noise."""
    rng = seeded(seed)
    labels = torch.arange(num) % 3
    images = torch.randint(0, 60, (num, *BARS.image_shape), generator=rng, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        top = torch.randint(5, 8, (), generator=rng)
        left = torch.randint(4, 7, (), generator=rng)
        if label in (0, 2):
            image[:, top : top + 3, 3:-3] = 255
        if label in (1, 2):
            image[:, 3:-3, left : left + 3] = 255
    return images, labels.to(torch.uint8)


def spots(num, seed=0):
    """A bright spot to the side that the angle tells, the larger the size."""
    values = sample_factors(FACTORS, num, seeded(seed))
    size, turn = values.T[:, :, None, None]
    x, y = torch.arange(20) - 9.5, torch.arange(16)[:, None] - 7.5
    distance = (x - 5 * turn.cos()).square() + (y - 5 * turn.sin()).square()
    images = 255 * torch.exp(-distance / (size - 15))
    return images[:, None].to(torch.uint8), values


@pytest.fixture
def trained(backend):
    """A judge trained on few images for a few epochs."""

    def train(images, truth, data_set=BARS, log=lambda epoch, loss: None, **changes):
        usual = {"weights": "", "num_epochs": 3, "batch_size": 24, "lr": 0.003, "seed": 0}
        options = Judging(**usual | MAPS | changes)
        return train_judge(images, truth, data_set, options, backend, log)

    return train


def untrained(dataset="digits"):
    return Judge(lookup(dataset)).eval()


def noise_images(num, shape=(1, 28, 28)):
    return torch.rand(num, *shape, generator=seeded())


# Training.


def test_new_images_are_classified_after_a_few_epochs_whose_loss_falls(trained):
    epochs = []
    classifier = trained(*bars(360), log=lambda *done: epochs.append(done), num_epochs=6)
    assert not classifier.training
    assert [epoch for epoch, _ in epochs] == [1, 2, 3, 4, 5, 6]
    assert epochs[0][1] < 2
    assert epochs[-1][1] < 0.5 * epochs[0][1]
    images, labels = bars(90, seed=1)
    accuracy = (classify(classifier, scale(images, BARS.value_range)) == labels).float().mean()
    assert accuracy > 0.95


def test_a_few_hundred_images_teach_a_size_and_an_angle_over_the_full_circle(trained):
    regressor = trained(*spots(400), SPOTS, num_epochs=8, **NO_MAPS)
    images, values = spots(60, seed=1)
    images = scale(images, SPOTS.value_range)
    read = read_factors(regressor, FACTORS, images)
    assert min(reading_r2(read, values, FACTORS).values()) > 0.8
    # A grid of images gives a grid of factors.
    grid = read_factors(regressor, FACTORS, images.unflatten(0, (4, 3, 5)))
    assert torch.allclose(grid, read.unflatten(0, (4, 3, 5)), atol=1e-4)


def test_the_seed_and_the_maps_of_the_images_decide_the_weights(trained):
    changes = ({}, {}, {"seed": 1}, NO_MAPS)
    first, again, other, unmapped = (trained(*bars(48), **each).state_dict() for each in changes)
    assert all(torch.equal(first[key], again[key]) for key in first)
    for state in (other, unmapped):
        assert not torch.allclose(first["decision.weight"], state["decision.weight"], atol=1e-3)


def test_a_diverged_training_is_reported(trained):
    with pytest.raises(InfoGANError, match="in epoch 1: training diverged"):
        trained(*bars(50), lr=1e30)


# What it reads.


def test_the_value_range_does_not_change_what_is_seen():
    classifier, images = untrained(), noise_images(4)
    expected = penultimate_features(classifier, images)
    classifier.value_range = (-1.0, 1.0)
    shifted = penultimate_features(classifier, images * 2 - 1)
    assert torch.allclose(shifted, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 5), (1, 8, 8), (3, 32, 32), (1, 33, 47), (3, 64, 48)])
def test_images_of_any_shape_are_taken(shape):
    assert Judge(replace(BARS, image_shape=shape))(noise_images(2, shape)).shape == (2, 3)


def test_exact_reading_scores_1_and_reading_the_mean_or_what_does_not_vary_0():
    values = sample_factors(FACTORS, 500, seeded())
    mean = torch.full_like(values, values[:, 0].mean().item())
    assert reading_r2(values, values, FACTORS) == pytest.approx({"size_r2": 1, "turn_r2": 1})
    assert reading_r2(mean, values, FACTORS)["size_r2"] == pytest.approx(0, abs=1e-5)
    assert reading_r2(values, mean, FACTORS)["size_r2"] == 0


def test_an_angle_a_full_turn_off_is_read_exactly_and_one_half_a_turn_off_scores_minus_3():
    values = sample_factors(FACTORS, 500, seeded())
    # The opposite point of the circle: a distance of 2, squared, over a variance of 1.
    for turn, expected in ((2 * math.pi, 1), (math.pi, -3)):
        turned = values + torch.tensor([0.0, turn])
        found = reading_r2(turned, values, FACTORS)["turn_r2"]
        assert found == pytest.approx(expected, abs=0.05)


# Its file.


def test_a_saved_judge_loads_with_the_same_predictions(tmp_path):
    classifier, images = untrained(), noise_images(6)
    save_judge(tmp_path / "weights.safetensors", classifier, "digits")
    loaded = load_judge(tmp_path / "weights.safetensors", "digits")
    assert not loaded.training
    assert torch.equal(classifier(images), loaded(images))


def test_a_missing_or_damaged_file_or_one_of_other_layers_or_data_is_reported(tmp_path):
    path = tmp_path / "weights.safetensors"
    refused = pytest.raises(InfoGANError, match=r"weights\.safetensors: no readable judge .*; run")
    with refused:
        load_judge(path, "digits")
    save_judge(path, untrained(), "digits")
    path.write_bytes(path.read_bytes()[:-100])
    with refused:
        load_judge(path, "digits")
    save_tensors(path, {"decision.bias": torch.zeros(10)}, "dataset", "digits")
    with refused:
        load_judge(path, "digits")
    save_judge(path, untrained("fashion_mnist"), "fashion_mnist")
    with pytest.raises(InfoGANError, match="trained on fashion_mnist, expected digits"):
        load_judge(path, "digits")
