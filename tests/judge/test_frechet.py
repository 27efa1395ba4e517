import pytest
import torch
from scipy.linalg import sqrtm

from infogan.judge.frechet import frechet_distance
from tests.layouts import seeded


def with_moments(num, mean, std, seed):
    """Features whose sample mean and covariance are exactly `mean` and diag(std^2)."""
    noise = torch.randn(num, len(mean), generator=seeded(seed), dtype=torch.float64)
    centred = noise - noise.mean(0)
    white = torch.linalg.qr(centred).Q * (num - 1) ** 0.5
    return white * torch.tensor(std) + torch.tensor(mean)


def test_distance_between_gaussians_with_diagonal_covariances_follows_the_closed_form():
    # |m_a - m_b|^2 + sum (s_a - s_b)^2 = (1 + 4 + 0) + (4 + 0.25 + 0)
    a = with_moments(40, mean=[0.0, 1.0, 3.0], std=[1.0, 0.5, 2.0], seed=0)
    b = with_moments(60, mean=[1.0, -1.0, 3.0], std=[3.0, 1.0, 2.0], seed=1)
    assert frechet_distance(a, b) == pytest.approx(9.25, rel=1e-12)


def test_distance_agrees_with_the_matrix_root_and_is_symmetric():
    mixing = torch.randn(5, 5, generator=seeded(2), dtype=torch.float64)
    a = torch.randn(80, 5, generator=seeded(), dtype=torch.float64) @ mixing
    b = torch.randn(90, 5, generator=seeded(1), dtype=torch.float64) + 1
    root = sqrtm((a.T.cov() @ b.T.cov()).numpy()).real
    expected = (a.mean(0) - b.mean(0)).square().sum() + a.var(0).sum() + b.var(0).sum()
    expected = expected.item() - 2 * root.trace()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_fewer_images_than_features_and_dead_features_are_handled():
    features = torch.randn(6, 9, generator=seeded())
    features[:, 4] = 0
    assert frechet_distance(features, features + 1) == pytest.approx(9, rel=1e-6)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-12)
