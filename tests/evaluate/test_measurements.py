"""Which images, halves and statistics a measurement uses: data on which others would tell."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from infogan.base.dataset import Factor
from infogan.base.images import FactorImages, Split
from infogan.evaluate import bounds, distance, effects, factor_scores, generated, sorting
from infogan.evaluate.measurements import measure_run
from infogan.evaluate.subject import Subject
from infogan.judge.judge import Judge
from infogan.method.networks import TABLES, Discriminator, build_networks
from tests.evaluate.hand_made import DATA_SET, FirstRow, Reading, corners, subject_of
from tests.layouts import seeded

NUM_CLASSES, NUM_SAMPLES = 4, 200


class Corner(Discriminator):
    """Q names the brightest of the first pixels, after a batch norm that is off by a shift."""

    def __init__(self, shift: float) -> None:
        nn.Module.__init__(self)
        self.norm = nn.BatchNorm1d(NUM_CLASSES).eval()
        self.norm.running_mean[0] = shift

    def recognise(self, images: Tensor) -> Tensor:
        logits = 10 * self.norm(images[:, 0, 0, :NUM_CLASSES])
        return torch.cat([logits, torch.zeros(len(images), 2)], dim=1)


# Images of all classes.
SHOWN = torch.arange(80) % NUM_CLASSES
IMAGES = Split(corners(SHOWN), SHOWN.to(torch.uint8))


@pytest.fixture
def make_subject(make_params):
    """A subject with a hand-made Q and judge, given how G draws."""
    codes = {"codes.categorical": [NUM_CLASSES], "codes.continuous": 1}
    params = make_params(codes | {"evaluate.num_samples": NUM_SAMPLES})

    def make(draw=None, *, train=IMAGES, shift=0.0) -> Subject:
        judge = FirstRow(NUM_CLASSES)
        return subject_of(params, draw, judge, q=Corner(shift), train=train, test=IMAGES)

    return make


def test_both_conventions_of_batch_norm_are_measured_each_under_its_name(make_subject):
    # Running means that favour class 0 by more than an image can: Q sees nothing else.
    metrics = sorting.measure(make_subject(shift=-100.0)).metrics
    assert metrics["accuracy_matched"] == pytest.approx(1 / NUM_CLASSES)
    assert metrics["accuracy_matched_batch_statistics"] == 1
    assert metrics["nmi"] == pytest.approx(0, abs=1e-9)
    assert metrics["nmi_batch_statistics"] == pytest.approx(1)


def test_the_category_of_a_generated_image_is_scored_on_images_that_fitted_no_map(make_subject):
    drawn = 0

    def turned_with_time(latents: Tensor) -> Tensor:
        nonlocal drawn
        turned = drawn // NUM_SAMPLES
        drawn += len(latents)
        shown = latents[:, -1 - NUM_CLASSES : -1].argmax(1)
        return corners((shown + turned) % NUM_CLASSES) / 255

    assert generated.measure(make_subject(turned_with_time)).metrics["accuracy_generated"] == 0
    assert drawn == 2 * NUM_SAMPLES


@pytest.mark.parametrize(
    ("shown", "expected"), [([3, 1, 0, 2], 1), ([2, 2, 2, 2], 1 / 4), ([0, 0, 2, 3], 3 / 4)]
)
def test_each_class_counts_for_one_of_the_categories_that_show_it(make_subject, shown, expected):
    def draw(latents: Tensor) -> Tensor:
        return corners(torch.tensor(shown)[latents[:, -1 - NUM_CLASSES : -1].argmax(1)]) / 255

    assert generated.measure(make_subject(draw)).metrics["accuracy_generated"] == expected


def test_the_frechet_distance_is_that_to_the_first_training_images(make_subject):
    shape = (2 * NUM_SAMPLES, 1, 28, 28)
    patterns = torch.randint(256, shape, generator=seeded(7)).to(torch.uint8)
    train = Split(patterns, torch.zeros(len(patterns), dtype=torch.uint8))
    for shift, expected in ((0.0, 0), (0.5, 0.25 * 28 * 28)):
        shown = patterns[:NUM_SAMPLES] / 255 + shift
        subject = make_subject(lambda latents, shown=shown: shown, train=train)
        found = distance.measure(subject).metrics["frechet_classifier"]
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_the_refitted_bounds_are_those_of_another_q_with_a_std_of_its_own(make_params):
    layout = {"codes.categorical": [NUM_CLASSES], "codes.continuous": 1}
    std = {"codes.continuous_std": "fixed", "networks.width": 0.2}
    steps = {"evaluate.refit_steps": 100, "evaluate.num_samples": NUM_SAMPLES}
    params = make_params(layout | std | steps)

    def draw(latents: Tensor) -> Tensor:
        """The category as a bright quarter of the left half, the code as the right half's grey."""
        shown = latents[:, params.codes.categorical_slice(0)]
        left = shown.repeat_interleave(7, dim=1)[:, None, :, None].expand(-1, 1, 28, 14)
        right = (latents[:, -1] + 1).view(-1, 1, 1, 1).expand(-1, 1, 28, 14) / 2
        return torch.cat([left, right], dim=3)

    discriminator = build_networks(TABLES["mnist"], params.codes, params.networks, seed=0)[1]
    subject = subject_of(params, draw, FirstRow(1), q=discriminator.eval())
    metrics = bounds.measure(subject).metrics
    assert metrics["bound_cat_nats"] < 0.2
    assert metrics["bound_cat_refit_nats"] > 0.4
    # With a std of 1 no Q could say more than -0.226 nats.
    assert metrics["bound_cont_refit_nats"] > 0.2


# Where factors are known.

SIZES = replace(DATA_SET, name="sizes", class_names=(), factors=(Factor("size", 0.0, 1.0),))


def test_q_reads_the_test_images_and_the_judge_the_factor_that_a_code_moves(make_params):
    # Test images are as bright as their factor, training images are not, and Q reads brightness.
    # G's images are the darker the larger its code.
    codes = {"codes.categorical": [], "codes.continuous": 1}
    params = make_params(codes | {"evaluate.num_trajectories": 4})
    values = torch.linspace(0, 1, 64)[:, None]
    images = torch.zeros(64, 1, 28, 28, dtype=torch.uint8)
    images[:, 0, 0, 0] = (255 * values[:, 0]).round().to(torch.uint8)
    shuffled = values[torch.randperm(64, generator=seeded())]

    def light(latents: Tensor) -> Tensor:
        return (1 - latents[:, -1:, None, None]).expand(-1, 1, 28, 28) / 6

    q = Reading(lambda images: images[:, 0, 0, :2] * torch.tensor([1, 0]))
    splits = {"train": FactorImages(images, shuffled), "test": FactorImages(images, values)}
    sized = subject_of(params, light, FirstRow(1), SIZES, q=q, **splits)

    metrics = factor_scores.measure(sized).metrics
    assert metrics["size_code_spearman"] == pytest.approx(1, abs=1e-3)
    found = effects.measure(sized)
    assert found.roles == {"size": {"code": 0, "sign": -1}}
    assert found.leakage == {"shapes": ["size"], "codes": [[pytest.approx(-1)]]}
    assert found.metrics["size_spearman"] == pytest.approx(1)
    assert found.metrics["size_share"] == pytest.approx(1)


def test_every_measurement_draws_from_the_runs_seed(make_params):
    sizes = {"num_samples": 100, "refit_steps": 2, "num_trajectories": 3}
    changes = {f"evaluate.{name}": size for name, size in sizes.items()}
    changes["networks.init_std"] = 0.2
    params = make_params(changes | {"codes.categorical": [NUM_CLASSES]})
    generator, discriminator = (
        network.eval()
        for network in build_networks(TABLES["mnist"], params.codes, params.networks, seed=0)
    )
    judge = Judge(DATA_SET).eval()
    given = {"q": discriminator, "train": IMAGES, "test": IMAGES}

    def measured(seed: int) -> dict[str, float]:
        return measure_run(subject_of(params, generator, judge, seed=seed, **given))["metrics"]

    first, again, other = measured(0), measured(0), measured(1)
    assert first == again
    drawn = ("bound_cat_nats", "bound_cont_fitted_nats", "bound_cat_refit_nats")
    for name in (*drawn, "luminance_share", "frechet_classifier"):
        assert first[name] != other[name], name
