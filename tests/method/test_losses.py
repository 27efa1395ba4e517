import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from infogan.method.codes import Recognition, one_hot, sample, split_recognition
from infogan.method.losses import (
    bounds,
    categorical_bound,
    continuous_bound,
    discriminator_loss,
    generator_loss,
    inconsistency,
    information,
)
from tests.layouts import code_layout, seeded, with_std

LAYOUT = code_layout(noise=4, categorical=(5, 3), continuous=2)


def codes_of(size, num=21):
    return one_hot(torch.arange(num) % size, size)


# The adversarial losses.


def test_losses_are_minus_the_value_of_equation_1_and_minus_log_d_of_the_fake_images():
    real, fake = torch.tensor([0.9, 0.6, 0.7]), torch.tensor([0.2, 0.35, 0.1])
    value = real.log().mean() + (1 - fake).log().mean()
    assert discriminator_loss(real.logit(), fake.logit()).item() == pytest.approx(-value.item())
    assert generator_loss(fake.logit()).item() == pytest.approx(-fake.log().mean().item())


@pytest.mark.parametrize("logit", [-1e30, -1e4, 1e4, 1e30])
def test_losses_stay_finite_at_extreme_logits(logit):
    logits = torch.full((2,), logit)
    assert discriminator_loss(logits, logits).isfinite()
    assert generator_loss(logits).isfinite()


# The bound of a categorical code.


@pytest.mark.parametrize("size", [2, 5, 10])
def test_bound_is_log_size_for_a_perfect_q_0_for_one_that_ignores_the_image_else_less(size):
    codes = codes_of(size, 3 * size)
    assert categorical_bound(codes, 100 * codes).item() == pytest.approx(math.log(size))
    assert categorical_bound(codes, 0 * codes + 0.7).item() == pytest.approx(0, abs=1e-6)
    # The log-likelihood of the code when its logit alone is -3.
    worse = -3 - math.log(size - 1 + math.exp(-3)) + math.log(size)
    assert categorical_bound(codes, -3 * codes).item() == pytest.approx(worse, abs=1e-5)
    assert categorical_bound(codes, -1e6 * codes).item() == pytest.approx(-1e6, rel=1e-4)


# The bound of continuous codes.


def test_continuous_bound_is_the_normal_log_density_plus_the_entropies():
    codes = 2 * torch.rand(11, 3, generator=seeded(1)) - 1
    mean = torch.randn(11, 3, generator=seeded(2))
    log_std = 0.5 * torch.randn(11, 3, generator=seeded(3))
    density = torch.distributions.Normal(mean, log_std.exp()).log_prob(codes)
    expected = density.sum(dim=1).mean() + 3 * math.log(2)
    assert continuous_bound(codes, mean, log_std).item() == pytest.approx(expected.item(), abs=1e-5)


# Both bounds of a layout.


def test_bounds_of_a_perfect_q_are_the_entropies_of_the_categorical_codes():
    latents = sample(LAYOUT, 13, seeded())
    logits = tuple(100 * latents[:, LAYOUT.categorical_slice(i)] for i in range(2))
    q = Recognition(logits, latents[:, LAYOUT.continuous_slice], torch.full((13, 2), 9.0))
    categorical, continuous = bounds(with_std(LAYOUT, learned=False), latents, q)
    assert categorical.item() == pytest.approx(sum(LAYOUT.categorical_entropies_nats), abs=1e-5)
    # log 2 - log(2 pi) / 2 = 0.693147 - 0.918939
    assert continuous.item() == pytest.approx(2 * -0.225792, abs=1e-5)
    _, continuous = bounds(with_std(LAYOUT, learned=True), latents, q)
    assert continuous.item() == pytest.approx(2 * (-0.225792 - 9), abs=1e-4)


@pytest.mark.parametrize("layout", [code_layout(4, (), 3), code_layout(4, (5,), 0)], ids=str)
def test_the_bound_of_codes_that_are_not_there_is_zero(layout):
    latents = sample(layout, 13, seeded())
    q = split_recognition(layout, torch.randn(13, layout.recognition_dim, generator=seeded(1)))
    categorical, continuous = bounds(layout, latents, q)
    assert (categorical.item() == 0) == (not layout.categorical)
    assert (continuous.item() == 0) == (not layout.continuous)


# What Q learns from real images.


def test_information_is_the_entropy_of_the_mean_less_the_mean_entropy():
    logits = 2 * torch.randn(13, 5, generator=seeded())
    q = np.exp(logits.double().numpy())
    q /= q.sum(axis=1, keepdims=True)
    expected = entropy(q.mean(axis=0)) - entropy(q, axis=1).mean()
    assert 0.1 < expected < math.log(5) - 0.1
    assert information(logits).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("logit", [1e4, 1e30])
def test_information_of_sure_and_balanced_answers_is_log_size_with_a_finite_gradient(logit):
    logits = (logit * codes_of(3, 9)).requires_grad_()
    value = information(logits)
    value.backward()
    assert value.item() == pytest.approx(math.log(3))
    assert logits.grad.isfinite().all()


def test_inconsistency_is_the_cross_entropy_of_both_answers_and_moves_the_second_alone():
    # Q says 1/4, 3/4 of the image and 1/2, 1/2, then 1/8, 7/8 of the mapped one.
    logits = torch.tensor([[0.25, 0.75], [0.25, 0.75]]).log().requires_grad_()
    mapped = torch.tensor([[0.5, 0.5], [0.125, 0.875]]).log().requires_grad_()
    loss = inconsistency(logits, mapped)
    expected = (math.log(2) + 0.25 * math.log(8) + 0.75 * math.log(8 / 7)) / 2
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    loss.backward()
    assert logits.grad is None
    # The gradient of a cross-entropy: answer less target, averaged over the images.
    assert torch.allclose(mapped.grad, torch.tensor([[0.25, -0.25], [-0.125, 0.125]]) / 2)
