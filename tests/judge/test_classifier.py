from dataclasses import replace

import pytest
import torch

from infogan.base.errors import InfoGANError
from infogan.base.images import scale
from infogan.base.tensors import save_tensors
from infogan.datasets import lookup
from infogan.judge.classifier import classify, train_classifier
from infogan.judge.judge import (
    Judge,
    load_judge,
    penultimate_features,
    save_judge,
    untrained_judge,
)
from infogan.method.runtime import Backend
from infogan.params import Judging
from tests.layouts import seeded

CPU = Backend(torch.device("cpu"), torch.float32, threads=1)
OPTIONS = Judging(
    weights="",
    num_epochs=3,
    batch_size=24,
    lr=0.003,
    seed=0,
    rotation=0.3,
    shear=0.3,
    scale=0.2,
    shift=0.1,
)
VALUE_RANGE = (-1.0, 1.0)
BARS = replace(
    lookup("digits"),
    image_shape=(1, 16, 14),
    value_range=VALUE_RANGE,
    class_names=("across", "upright", "cross"),
)


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


def trained(images, labels, options=OPTIONS, log=lambda epoch, loss: None):
    return train_classifier(images, labels, BARS, options, CPU, log)


def untrained(dataset="digits"):
    return untrained_judge(lookup(dataset)).eval()


def noise_images(num, shape=(1, 28, 28)):
    return torch.rand(num, *shape, generator=seeded())


def test_new_images_are_classified_after_a_few_epochs_whose_loss_falls():
    epochs = []
    options = OPTIONS.model_copy(update={"num_epochs": 6})
    classifier = trained(*bars(360), options, lambda epoch, loss: epochs.append((epoch, loss)))
    assert not classifier.training
    assert [epoch for epoch, _ in epochs] == [1, 2, 3, 4, 5, 6]
    assert epochs[0][1] < 2
    assert epochs[-1][1] < 0.5 * epochs[0][1]
    images, labels = bars(90, seed=1)
    accuracy = (classify(classifier, scale(images, VALUE_RANGE)) == labels).float().mean()
    assert accuracy > 0.95


def test_the_value_range_does_not_change_what_is_seen():
    classifier, images = untrained(), noise_images(4)
    expected = penultimate_features(classifier, images)
    classifier.value_range = (-1.0, 1.0)
    shifted = penultimate_features(classifier, images * 2 - 1)
    assert torch.allclose(shifted, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 5), (1, 8, 8), (3, 32, 32), (1, 33, 47), (3, 64, 48)])
def test_images_of_any_shape_are_taken(shape):
    classifier = Judge(shape, num_outputs=4, value_range=(0.0, 1.0))
    assert classifier(noise_images(2, shape)).shape == (2, 4)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    images, labels = bars(50)
    first, second = (trained(images, labels).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    other = trained(images, labels, OPTIONS.model_copy(update={"seed": 1})).state_dict()
    assert not torch.equal(first["decision.weight"], other["decision.weight"])


def test_a_diverged_training_is_reported():
    options = OPTIONS.model_copy(update={"lr": 1e30})
    with pytest.raises(InfoGANError, match="in epoch 1: training diverged"):
        trained(*bars(50), options)


def test_a_saved_classifier_loads_with_the_same_predictions(tmp_path):
    classifier, images = untrained(), noise_images(6)
    save_judge(tmp_path / "weights.safetensors", classifier, "digits")
    loaded = load_judge(tmp_path / "weights.safetensors", "digits")
    assert not loaded.training
    assert torch.equal(classifier(images), loaded(images))
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_a_missing_or_damaged_file_or_one_of_other_layers_is_reported(tmp_path):
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


def test_a_classifier_of_another_data_set_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_judge(path, untrained("fashion_mnist"), "fashion_mnist")
    with pytest.raises(InfoGANError, match="trained on fashion_mnist, expected digits"):
        load_judge(path, "digits")


def test_the_judge_learns_from_maps_of_the_images():
    images, labels = bars(48)
    still = dict.fromkeys(("rotation", "shear", "scale", "shift"), 0.0)
    with_maps, without = (
        trained(images, labels, OPTIONS.model_copy(update=changes)) for changes in ({}, still)
    )
    weights = [judge.decision.weight for judge in (with_maps, without)]
    assert not torch.allclose(*weights, atol=1e-3)
