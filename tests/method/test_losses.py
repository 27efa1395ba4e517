import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from infogan.method.codes import Recognition, one_hot, sample, split_continuous
from infogan.method.losses import (
    bounds,
    categorical_bound,
    continuous_bound,
    discriminator_loss,
    generator_loss,
    inconsistency,
    information,
)
from tests.layouts import code_layout, with_std

LAYOUT = code_layout(noise=4, categorical=(5, 3), continuous=2)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def codes_of(size, num=21):
    return one_hot(torch.arange(num) % size, size)


# The adversarial losses.


def test_losses_of_a_discriminator_that_says_one_half_are_2_log_2_and_log_2():
    assert discriminator_loss(torch.zeros(3), torch.zeros(3)).item() == pytest.approx(
        2 * math.log(2)
    )
    assert generator_loss(torch.zeros(4)).item() == pytest.approx(math.log(2))


def test_discriminator_loss_is_minus_the_value_of_equation_1():
    real, fake = torch.tensor([0.9, 0.6, 0.7]), torch.tensor([0.2, 0.35, 0.1])
    value = real.log().mean() + (1 - fake).log().mean()
    assert discriminator_loss(real.logit(), fake.logit()).item() == pytest.approx(-value.item())


def test_generator_loss_is_minus_log_d_of_the_fake_images():
    fake = torch.tensor([0.2, 0.35, 0.99])
    assert generator_loss(fake.logit()).item() == pytest.approx(-fake.log().mean().item())


def test_a_sure_and_right_discriminator_has_no_loss():
    sure = torch.full((3,), 200.0)
    assert discriminator_loss(sure, -sure).item() == 0.0
    assert generator_loss(sure).item() == 0.0


def test_a_sure_and_wrong_discriminator_loses_its_logit():
    sure = torch.full((3,), 200.0)
    assert discriminator_loss(-sure, sure).item() == pytest.approx(400.0)
    assert generator_loss(-sure).item() == pytest.approx(200.0)


@pytest.mark.parametrize("logit", [-1e30, -1e4, 1e4, 1e30])
def test_losses_stay_finite_at_extreme_logits(logit):
    logits = torch.full((2,), logit)
    assert discriminator_loss(logits, logits).isfinite()
    assert generator_loss(logits).isfinite()


def test_generator_loss_does_not_saturate_where_the_discriminator_is_sure():
    logits = torch.full((4,), -80.0, requires_grad=True)
    generator_loss(logits).backward()
    assert logits.grad.tolist() == pytest.approx([-1 / 4] * 4)


def test_discriminator_loss_pushes_real_logits_up_and_fake_logits_down():
    real = torch.zeros(5, requires_grad=True)
    fake = torch.zeros(5, requires_grad=True)
    discriminator_loss(real, fake).backward()
    assert real.grad.tolist() == pytest.approx([-0.5 / 5] * 5)
    assert fake.grad.tolist() == pytest.approx([0.5 / 5] * 5)


# The bound of a categorical code.


@pytest.mark.parametrize("size", [2, 5, 10])
def test_bound_is_zero_when_q_ignores_the_image(size):
    bound = categorical_bound(codes_of(size, 3 * size), torch.full((3 * size, size), 0.7))
    assert bound.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("size", [2, 5, 10])
def test_bound_is_log_size_when_q_is_perfect(size):
    codes = codes_of(size)
    assert categorical_bound(codes, 100 * codes).item() == pytest.approx(math.log(size))


def test_bound_is_negative_when_q_does_worse_than_guessing():
    codes = codes_of(5)
    # Log-likelihood of the code is -3 - log(4 + exp(-3)) when its logit alone is -3.
    expected = -3 - math.log(4 + math.exp(-3)) + math.log(5)
    assert expected < 0
    assert categorical_bound(codes, -3 * codes).item() == pytest.approx(expected, abs=1e-5)


def test_bound_of_a_q_that_narrows_the_code_to_two_categories_loses_log_2():
    codes = codes_of(6, 18)
    pairs = codes + codes[:, [1, 0, 3, 2, 5, 4]]
    assert categorical_bound(codes, 100 * pairs).item() == pytest.approx(math.log(3), abs=1e-5)


def test_categorical_bound_is_entropy_minus_torchs_cross_entropy():
    categories = torch.randint(7, (13,), generator=seeded())
    logits = 3 * torch.randn(13, 7, generator=seeded(1))
    expected = math.log(7) - cross_entropy(logits, categories)
    assert categorical_bound(one_hot(categories, 7), logits).item() == pytest.approx(
        expected.item(), abs=1e-5
    )


def test_categorical_bound_does_not_change_when_all_logits_shift():
    logits = torch.randn(21, 5, generator=seeded())
    shifted = categorical_bound(codes_of(5), logits + 50)
    assert shifted.item() == pytest.approx(categorical_bound(codes_of(5), logits).item(), abs=1e-4)


def test_categorical_bound_is_finite_for_a_sure_and_wrong_q():
    codes = codes_of(5)
    assert categorical_bound(codes, -1e6 * codes).item() == pytest.approx(-1e6, rel=1e-4)


# The bound of continuous codes.


@pytest.mark.parametrize("continuous", [1, 2, 5])
def test_continuous_bound_with_std_1_and_a_perfect_mean_is_minus_0_226_per_code(continuous):
    codes = 2 * torch.rand(11, continuous, generator=seeded()) - 1
    bound = continuous_bound(codes, codes, torch.zeros(11, continuous))
    # log 2 - log(2 pi) / 2 = 0.693147 - 0.918939
    assert bound.item() == pytest.approx(-0.225792 * continuous, abs=1e-5)


def test_continuous_bound_is_the_normal_log_density_plus_the_entropies():
    codes = 2 * torch.rand(11, 3, generator=seeded(1)) - 1
    mean = torch.randn(11, 3, generator=seeded(2))
    log_std = 0.5 * torch.randn(11, 3, generator=seeded(3))
    density = torch.distributions.Normal(mean, log_std.exp()).log_prob(codes)
    expected = density.sum(dim=1).mean() + 3 * math.log(2)
    assert continuous_bound(codes, mean, log_std).item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("std", [0.05, 0.5, 2.0])
def test_continuous_bound_at_the_errors_own_std_is_its_closed_form(std):
    # Error exactly +-std gives log 2 - log(2 pi e std^2) / 2.
    codes = torch.zeros(6, 1)
    mean = torch.tensor([[std], [-std]] * 3)
    bound = continuous_bound(codes, mean, torch.full((6, 1), math.log(std)))
    expected = math.log(2) - 0.5 * math.log(2 * math.pi * math.e * std**2)
    assert bound.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_continuous_bound_is_largest_at_the_errors_own_std(factor):
    error = torch.randn(40, 1, generator=seeded())
    std = error.square().mean().sqrt()

    def bound_at(value):
        return continuous_bound(error, torch.zeros(40, 1), value.log().expand(40, 1))

    assert bound_at(std) > bound_at(factor * std) + 0.01


def test_continuous_bound_grows_by_log_10_for_a_ten_times_smaller_error():
    codes = torch.zeros(4, 1)
    bounds_ = [
        continuous_bound(codes, torch.full((4, 1), error), torch.full((4, 1), math.log(error)))
        for error in (1e-3, 1e-4)
    ]
    assert (bounds_[1] - bounds_[0]).item() == pytest.approx(math.log(10), abs=1e-4)


def test_continuous_bound_of_the_best_guess_without_the_image_is_minus_0_176():
    # A normal with the uniform's variance 1/3: log 2 - log(2 pi e / 3) / 2.
    codes = torch.linspace(-1, 1, 20_001)[:, None]
    log_std = torch.full_like(codes, 0.5 * math.log(1 / 3))
    bound = continuous_bound(codes, torch.zeros_like(codes), log_std)
    assert bound.item() == pytest.approx(-0.1765, abs=2e-3)


# Both bounds of a layout.


def random_recognition(layout, num):
    rng = seeded(7)
    return Recognition(
        tuple(torch.randn(num, size, generator=rng) for size in layout.categorical),
        torch.randn(num, layout.continuous, generator=rng),
        torch.randn(num, layout.continuous, generator=rng),
    )


def test_bounds_sum_over_the_codes():
    latents = sample(LAYOUT, 13, seeded())
    q = random_recognition(LAYOUT, 13)
    categorical, continuous = bounds(with_std(LAYOUT, learned=True), latents, q)
    expected = sum(
        categorical_bound(latents[:, LAYOUT.categorical_slice(i)], q.logits[i]) for i in range(2)
    )
    assert categorical.item() == pytest.approx(expected.item(), abs=1e-5)
    codes = split_continuous(LAYOUT, latents)
    each = [
        continuous_bound(codes[:, i : i + 1], q.mean[:, i : i + 1], q.log_std[:, i : i + 1])
        for i in range(2)
    ]
    assert continuous.item() == pytest.approx(sum(each).item(), abs=1e-4)


def test_bounds_of_a_perfect_q_are_the_entropies_of_the_categorical_codes():
    latents = sample(LAYOUT, 13, seeded())
    logits = tuple(100 * latents[:, LAYOUT.categorical_slice(i)] for i in range(2))
    q = Recognition(logits, split_continuous(LAYOUT, latents), torch.full((13, 2), 9.0))
    categorical, continuous = bounds(with_std(LAYOUT, learned=False), latents, q)
    assert categorical.item() == pytest.approx(sum(LAYOUT.categorical_entropies_nats), abs=1e-5)
    assert continuous.item() == pytest.approx(2 * -0.225792, abs=1e-5)


def test_a_fixed_std_is_1_and_gives_its_output_no_gradient():
    latents = sample(LAYOUT, 13, seeded())
    q = random_recognition(LAYOUT, 13)
    q.log_std.requires_grad_()
    q.mean.requires_grad_()
    continuous = bounds(with_std(LAYOUT, learned=False), latents, q)[1]
    expected = continuous_bound(split_continuous(LAYOUT, latents), q.mean, torch.zeros(13, 2))
    assert continuous.item() == expected.item()
    continuous.backward()
    assert q.log_std.grad is None
    assert q.mean.grad.abs().min() > 0


def test_a_learned_std_is_qs_output():
    latents = sample(LAYOUT, 13, seeded())
    q = random_recognition(LAYOUT, 13)
    q.log_std.requires_grad_()
    continuous = bounds(with_std(LAYOUT, learned=True), latents, q)[1]
    expected = continuous_bound(split_continuous(LAYOUT, latents), q.mean, q.log_std)
    assert continuous.item() == expected.item()
    continuous.backward()
    assert q.log_std.grad.abs().min() > 0


@pytest.mark.parametrize("learned_std", [False, True])
@pytest.mark.parametrize("layout", [code_layout(4, (), 3), code_layout(4, (5,), 0)], ids=str)
def test_the_bound_of_codes_that_are_not_there_is_zero(layout, learned_std):
    latents = sample(layout, 13, seeded())
    layout = with_std(layout, learned=learned_std)
    categorical, continuous = bounds(layout, latents, random_recognition(layout, 13))
    assert (categorical.item() == 0) == (not layout.categorical)
    assert (continuous.item() == 0) == (not layout.continuous)


# What Q learns from real images.


def entropy(probabilities):
    """Along the last axis, in nats."""
    return -(probabilities * np.log(probabilities)).sum(axis=-1)


@pytest.mark.parametrize("size", [2, 5, 10])
def test_information_of_sure_and_balanced_answers_is_log_size(size):
    assert information(100 * codes_of(size, 3 * size)).item() == pytest.approx(math.log(size))


def test_information_of_answers_that_use_two_of_five_categories_is_log_2():
    assert information(100 * one_hot(3 * (torch.arange(8) % 2), 5)).item() == pytest.approx(
        math.log(2)
    )


@pytest.mark.parametrize(
    "answer", [[0.0] * 5, [0.0, 100.0, 0.0, 0.0, 0.0], [0.3, -1.2, 2.0, 0.1, 0.9]]
)
def test_information_is_zero_where_all_answers_are_the_same(answer):
    logits = torch.tensor(answer).expand(7, 5)
    assert information(logits).item() == pytest.approx(0, abs=1e-6)


def test_information_of_one_image_is_zero():
    assert information(torch.randn(1, 5, generator=seeded())).item() == pytest.approx(0, abs=1e-6)


def test_information_is_the_entropy_of_the_mean_less_the_mean_entropy():
    logits = 2 * torch.randn(13, 5, generator=seeded())
    q = np.exp(logits.double().numpy())
    q /= q.sum(axis=1, keepdims=True)
    expected = entropy(q.mean(axis=0)) - entropy(q).mean()
    assert 0.1 < expected < math.log(5) - 0.1
    assert information(logits).item() == pytest.approx(expected, abs=1e-5)


def test_information_of_answers_that_are_right_with_a_known_chance_is_its_closed_form():
    # 0.9 for its own category and 0.025 for each of the 4 others, all categories equally often.
    q = 0.875 * codes_of(5, 20) + 0.025
    expected = math.log(5) + 0.9 * math.log(0.9) + 0.1 * math.log(0.025)
    assert information(q.log()).item() == pytest.approx(expected, abs=1e-5)


def test_information_does_not_change_when_all_logits_shift():
    logits = torch.randn(13, 5, generator=seeded())
    shifted = information(logits + 50 * torch.arange(13)[:, None])
    assert shifted.item() == pytest.approx(information(logits).item(), abs=1e-4)


@pytest.mark.parametrize("logit", [1e4, 1e30])
def test_information_and_its_gradient_stay_finite_at_extreme_logits(logit):
    logits = (logit * codes_of(3, 7)).requires_grad_()
    value = information(logits)
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()


def test_climbing_information_makes_answers_sure_and_uses_every_category():
    logits = 0.1 * torch.randn(12, 3, generator=seeded()) + torch.tensor([1.0, 0.0, 0.0])
    assert (logits.argmax(dim=1) == 0).all()
    for _ in range(300):
        logits = logits.detach().requires_grad_()
        information(logits).backward()
        logits = logits + 5 * logits.grad
    q = logits.softmax(dim=1)
    assert q.max(dim=1).values.min() > 0.95
    assert torch.bincount(q.argmax(dim=1), minlength=3).min() >= 2
    assert information(logits) > 0.8 * math.log(3)


def test_information_rises_towards_the_surer_answer_and_the_rarer_category():
    # Two images lean to category 0, one to category 1 as clearly.
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    information(logits).backward()
    gradient = logits.grad
    assert gradient.sum(dim=1).tolist() == pytest.approx([0.0] * 3, abs=1e-7)
    assert gradient[2, 1] > gradient[0, 0] > 0


def test_inconsistency_is_the_cross_entropy_of_both_answers():
    # Q says 1/4, 3/4 of the image and 1/2, 1/2, then 1/8, 7/8 of the mapped one.
    q = torch.tensor([[0.25, 0.75], [0.25, 0.75]])
    mapped = torch.tensor([[0.5, 0.5], [0.125, 0.875]])
    expected = (math.log(2) + 0.25 * math.log(8) + 0.75 * math.log(8 / 7)) / 2
    assert inconsistency(q.log(), mapped.log()).item() == pytest.approx(expected, abs=1e-6)


def test_inconsistency_is_torchs_cross_entropy_with_soft_targets():
    logits, mapped = (2 * torch.randn(13, 5, generator=seeded(seed)) for seed in (0, 1))
    expected = cross_entropy(mapped, logits.softmax(dim=1))
    assert inconsistency(logits, mapped).item() == pytest.approx(expected.item(), abs=1e-5)
    assert inconsistency(mapped, logits).item() != pytest.approx(expected.item(), abs=1e-2)


def test_inconsistency_of_equal_answers_is_their_entropy_with_no_gradient():
    logits = 2 * torch.randn(13, 5, generator=seeded())
    mapped = (logits + 3).requires_grad_()  # a shift changes no answer
    loss = inconsistency(logits, mapped)
    loss.backward()
    q = logits.softmax(dim=1).double().numpy()
    assert loss.item() == pytest.approx(entropy(q).mean(), abs=1e-5)
    assert mapped.grad.abs().max() < 1e-7


def test_inconsistency_of_sure_and_equal_answers_is_zero():
    sure = 200 * codes_of(5)
    assert inconsistency(sure, sure).item() == 0.0


def test_inconsistency_of_sure_and_unlike_answers_is_the_distance_of_the_logits():
    sure = 200 * codes_of(5)
    assert inconsistency(sure, sure.roll(1, dims=1)).item() == pytest.approx(200.0)


def test_inconsistency_moves_the_answer_to_the_mapped_image_alone():
    logits, mapped = (torch.randn(13, 5, generator=seeded(seed)) for seed in (0, 1))
    logits.requires_grad_()
    mapped.requires_grad_()
    inconsistency(logits, mapped).backward()
    assert logits.grad is None
    # The gradient of a cross-entropy: answer less target, averaged over the images.
    expected = (mapped.softmax(dim=1) - logits.softmax(dim=1)) / 13
    assert torch.allclose(mapped.grad, expected, atol=1e-7)
