import pytest
import torch

from infogan.method.codes import (
    one_hot,
    sample,
    split_categorical,
    split_continuous,
    split_recognition,
)
from tests.layouts import code_layout, seeded

SEVERAL = code_layout(noise=7, categorical=(5, 3, 4), continuous=2)


def with_noise(prior):
    """SEVERAL, its noise from this prior."""
    return SEVERAL.model_copy(update={"noise_prior": prior})


LAYOUTS = [
    SEVERAL,
    code_layout(noise=0, categorical=(6, 2), continuous=3),
    code_layout(noise=7, categorical=(), continuous=5),
    code_layout(noise=0, categorical=(2,), continuous=0),
]
every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=str)


def all_columns(layout):
    categorical = [layout.categorical_slice(i) for i in range(len(layout.categorical))]
    return [layout.noise_slice, *categorical, layout.continuous_slice]


def test_columns_are_noise_then_categorical_then_continuous():
    expected = [slice(0, 7), slice(7, 12), slice(12, 15), slice(15, 19), slice(19, 21)]
    assert all_columns(SEVERAL) == expected


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
    assert latents.dtype == torch.float32


@every_layout
def test_qs_output_splits_into_logits_means_and_log_stds(layout):
    output = torch.randn(11, layout.recognition_dim, generator=seeded())
    q = split_recognition(layout, output)
    assert [logits.shape[1] for logits in q.logits] == list(layout.categorical)
    assert q.mean.shape == q.log_std.shape == (11, layout.continuous)
    assert torch.equal(torch.cat([*q.logits, q.mean, q.log_std], dim=1), output)


@pytest.mark.parametrize("prior", ["uniform", "normal"])
def test_latents_depend_on_their_stream_alone(prior):
    torch.manual_seed(1)
    first = sample(with_noise(prior), 9, seeded(4))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(sample(with_noise(prior), 9, seeded(4)), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(sample(with_noise(prior), 9, seeded(5)), first)


# Moments of the prior. Tolerances are five standard errors or more.

NUM = 20_000


def assert_uniform(values):
    """Between -1 and 1, with mean 0 and variance 1/3; standard errors 0.0041 and 0.0021."""
    assert -1 <= values.min() < -0.999
    assert 0.999 < values.max() <= 1
    assert values.mean(dim=0).abs().max() < 0.025
    assert values.var(dim=0) == pytest.approx([1 / 3] * values.shape[1], abs=0.011)


def test_uniform_noise_fills_minus_one_to_one():
    assert_uniform(sample(SEVERAL, NUM, seeded())[:, SEVERAL.noise_slice])


def test_normal_noise_has_mean_0_and_variance_1_and_leaves_codes_uniform():
    latents = sample(with_noise("normal"), NUM, seeded())
    noise = latents[:, SEVERAL.noise_slice]
    assert noise.mean(dim=0).abs().max() < 0.04  # standard error 0.0071
    assert noise.var(dim=0) == pytest.approx([1.0] * 7, abs=0.05)  # 0.01
    assert noise.abs().max() > 3
    assert_uniform(split_continuous(SEVERAL, latents))


def test_categories_are_one_hot_and_equally_frequent():
    latents = sample(SEVERAL, NUM, seeded())
    for size, code in zip(SEVERAL.categorical, split_categorical(SEVERAL, latents), strict=True):
        assert torch.equal(code.sum(dim=1), torch.ones(NUM))
        assert torch.equal(code.max(dim=1).values, torch.ones(NUM))
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
