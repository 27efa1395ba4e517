import pytest
import torch

from infogan.method.codes import one_hot, sample, split_recognition
from tests.layouts import code_layout, seeded

LAYOUT = code_layout(noise=7, categorical=(5, 3, 4), continuous=2)
COLUMNS = [slice(0, 7), slice(7, 12), slice(12, 15), slice(15, 19), slice(19, 21)]


def with_noise(prior):
    """LAYOUT, its noise from this prior."""
    return LAYOUT.model_copy(update={"noise_prior": prior})


def test_columns_are_noise_then_categorical_then_continuous():
    categorical = [LAYOUT.categorical_slice(code) for code in range(3)]
    assert [LAYOUT.noise_slice, *categorical, LAYOUT.continuous_slice] == COLUMNS


@pytest.mark.parametrize("layout", [LAYOUT, code_layout(7, (), 5), code_layout(0, (2,), 0)])
def test_qs_output_splits_into_logits_means_and_log_stds(layout):
    output = torch.randn(11, layout.recognition_dim, generator=seeded())
    q = split_recognition(layout, output)
    assert [logits.shape[1] for logits in q.logits] == list(layout.categorical)
    assert q.mean.shape == q.log_std.shape == (11, layout.continuous)
    assert torch.equal(torch.cat([*q.logits, q.mean, q.log_std], dim=1), output)
    assert sample(layout, 11, seeded()).shape == (11, layout.latent_dim)


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
    assert_uniform(sample(LAYOUT, NUM, seeded())[:, COLUMNS[0]])


def test_normal_noise_has_mean_0_and_variance_1_and_leaves_codes_uniform():
    latents = sample(with_noise("normal"), NUM, seeded())
    noise = latents[:, COLUMNS[0]]
    assert noise.mean(dim=0).abs().max() < 0.04  # standard error 0.0071
    assert noise.var(dim=0) == pytest.approx([1.0] * 7, abs=0.05)  # 0.01
    assert noise.abs().max() > 3
    assert_uniform(latents[:, COLUMNS[-1]])


def test_categories_are_one_hot_and_equally_frequent_and_codes_independent_of_each_other():
    latents = sample(LAYOUT, NUM, seeded())
    correlation = torch.corrcoef(latents.T)
    for columns in COLUMNS[1:-1]:
        code = latents[:, columns]
        assert torch.equal(code.sum(dim=1), torch.ones(NUM))
        assert torch.equal(code.max(dim=1).values, torch.ones(NUM))
        share = 1 / code.shape[1]
        assert code.mean(dim=0).numpy() == pytest.approx(share, abs=0.018)  # at most 0.0034
        correlation[columns, columns] = 0  # the columns of one code exclude each other
    assert correlation.fill_diagonal_(0).abs().max() < 0.04  # standard error 0.0071


def test_one_hot_marks_each_category():
    expected = torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    assert torch.equal(one_hot(torch.tensor([2, 0, 3]), 4), expected)
