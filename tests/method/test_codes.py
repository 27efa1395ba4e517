import math

import pytest
import torch

from infogan.method.codes import (
    one_hot,
    sample,
    split_categorical,
    split_continuous,
    split_recognition,
)
from tests.layouts import code_layout

MNIST = code_layout(noise=62, categorical=(10,), continuous=2)
SEVERAL = code_layout(noise=7, categorical=(5, 3, 4), continuous=2)


def with_noise(prior):
    """SEVERAL, its noise from this prior."""
    return SEVERAL.model_copy(update={"noise_prior": prior})


LAYOUTS = [
    MNIST,
    SEVERAL,
    code_layout(noise=0, categorical=(6, 2), continuous=3),
    code_layout(noise=7, categorical=(), continuous=5),
    code_layout(noise=7, categorical=(3, 3), continuous=0),
    code_layout(noise=0, categorical=(2,), continuous=0),
    code_layout(noise=0, categorical=(), continuous=1),
]
every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=str)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def all_columns(layout):
    categorical = [layout.categorical_slice(i) for i in range(len(layout.categorical))]
    return [layout.noise_slice, *categorical, layout.continuous_slice]


def test_mnist_latents_have_the_papers_74_columns():
    assert MNIST.latent_dim == 74


def test_mnist_recognition_has_10_logits_2_means_and_2_log_stds():
    assert MNIST.recognition_dim == 14


@pytest.mark.parametrize(
    ("layout", "latent_dim"),
    [
        (code_layout(124, (10,) * 4, 4), 168),  # SVHN
        (code_layout(128, (10,) * 10, 0), 228),  # CelebA
        (code_layout(128, (), 5), 133),  # Faces
        (code_layout(128, (20,) * 3, 1), 189),  # Chairs
    ],
)
def test_latents_of_the_other_experiments_have_the_papers_size(layout, latent_dim):
    assert layout.latent_dim == latent_dim


def test_columns_are_noise_then_categorical_then_continuous():
    assert [SEVERAL.categorical_slice(i) for i in range(3)] == [
        slice(7, 12),
        slice(12, 15),
        slice(15, 19),
    ]
    assert SEVERAL.noise_slice == slice(0, 7)
    assert SEVERAL.continuous_slice == slice(19, 21)


@every_layout
def test_slices_cover_every_column_once(layout):
    columns = torch.arange(layout.latent_dim)
    covered = torch.cat([columns[part] for part in all_columns(layout)])
    assert torch.equal(covered, columns)


@every_layout
def test_splitting_undoes_concatenation(layout):
    latents = sample(layout, 11, seeded())
    parts = [
        latents[:, layout.noise_slice],
        *split_categorical(layout, latents),
        split_continuous(layout, latents),
    ]
    widths = [layout.noise, *layout.categorical, layout.continuous]
    assert [part.shape for part in parts] == [(11, width) for width in widths]
    assert torch.equal(torch.cat(parts, dim=1), latents)


@every_layout
def test_qs_output_splits_into_logits_means_and_log_stds(layout):
    output = torch.randn(11, layout.recognition_dim, generator=seeded())
    q = split_recognition(layout, output)
    assert [logits.shape[1] for logits in q.logits] == list(layout.categorical)
    assert q.mean.shape == q.log_std.shape == (11, layout.continuous)
    assert torch.equal(torch.cat([*q.logits, q.mean, q.log_std], dim=1), output)


@every_layout
def test_categorical_codes_are_one_hot(layout):
    for code in split_categorical(layout, sample(layout, 50, seeded())):
        assert torch.equal(code.sum(dim=1), torch.ones(50))
        assert torch.equal(code.max(dim=1).values, torch.ones(50))


@every_layout
def test_samples_are_float32_of_the_asked_size(layout):
    latents = sample(layout, 13, seeded())
    assert latents.shape == (13, layout.latent_dim)
    assert latents.dtype == torch.float32


@pytest.mark.parametrize("prior", ["uniform", "normal"])
def test_the_same_seed_gives_the_same_latents(prior):
    first, again = (sample(with_noise(prior), 9, seeded(4)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, sample(with_noise(prior), 9, seeded(5)))


def test_latents_do_not_depend_on_the_global_random_state():
    torch.manual_seed(1)
    first = sample(with_noise("normal"), 9, seeded())
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(sample(with_noise("normal"), 9, seeded()), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_consecutive_samples_of_a_stream_differ():
    rng = seeded()
    assert not torch.equal(sample(SEVERAL, 9, rng), sample(SEVERAL, 9, rng))


# Moments of the prior. Tolerances are five standard errors or more.

NUM = 20_000


def test_uniform_noise_fills_minus_one_to_one():
    noise = sample(SEVERAL, NUM, seeded())[:, SEVERAL.noise_slice]
    assert -1 <= noise.min() < -0.999
    assert 0.999 < noise.max() <= 1
    assert noise.mean(dim=0).abs().max() < 0.025  # standard error sqrt(1/3 / NUM) = 0.0041
    assert noise.var(dim=0) == pytest.approx([1 / 3] * 7, abs=0.011)  # 0.0021


def test_normal_noise_has_mean_0_and_variance_1():
    noise = sample(with_noise("normal"), NUM, seeded())[:, SEVERAL.noise_slice]
    assert noise.mean(dim=0).abs().max() < 0.04  # standard error 0.0071
    assert noise.var(dim=0) == pytest.approx([1.0] * 7, abs=0.05)  # 0.01
    assert noise.abs().max() > 3


@pytest.mark.parametrize("prior", ["uniform", "normal"])
def test_continuous_codes_are_uniform_whatever_the_noise(prior):
    codes = split_continuous(SEVERAL, sample(with_noise(prior), NUM, seeded()))
    assert -1 <= codes.min() < -0.999
    assert 0.999 < codes.max() <= 1
    assert codes.mean(dim=0).abs().max() < 0.025
    assert codes.var(dim=0) == pytest.approx([1 / 3] * 2, abs=0.011)


def test_categories_are_equally_frequent():
    latents = sample(SEVERAL, NUM, seeded())
    for size, code in zip(SEVERAL.categorical, split_categorical(SEVERAL, latents), strict=True):
        assert code.mean(dim=0) == pytest.approx([1 / size] * size, abs=0.018)  # at most 0.0034


def test_codes_are_independent_of_each_other():
    latents = sample(SEVERAL, NUM, seeded())
    correlation = torch.corrcoef(latents.T)
    for part in all_columns(SEVERAL)[1:-1]:
        correlation[part, part] = 0  # the columns of one one-hot code exclude each other
    assert correlation.fill_diagonal_(0).abs().max() < 0.04  # standard error 0.0071


def test_one_hot_marks_each_category():
    expected = torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    assert torch.equal(one_hot(torch.tensor([2, 0, 3]), 4), expected)


def test_entropy_of_a_categorical_code_is_log_of_its_size():
    assert MNIST.categorical_entropies_nats == (pytest.approx(2.302585, abs=1e-6),)
    assert SEVERAL.categorical_entropies_nats == pytest.approx(
        (math.log(5), math.log(3), math.log(4))
    )
    assert code_layout(3, (), 2).categorical_entropies_nats == ()
