import pytest
import torch
from scipy.linalg import sqrtm

from infogan.judge.frechet import frechet_distance
from tests.layouts import seeded


def test_distance_agrees_with_the_matrix_root_and_is_symmetric():
    mixing = torch.randn(5, 5, generator=seeded(2), dtype=torch.float64)
    a = torch.randn(80, 5, generator=seeded(), dtype=torch.float64) @ mixing
    b = torch.randn(90, 5, generator=seeded(1), dtype=torch.float64) + 1
    root = sqrtm((a.T.cov() @ b.T.cov()).numpy()).real
    expected = (a.mean(0) - b.mean(0)).square().sum() + a.var(0).sum() + b.var(0).sum()
    expected = expected.item() - 2 * root.trace()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_fewer_images_than_features_and_dead_features_are_handled(seed):
    features = torch.randn(6, 9, generator=seeded(seed))
    features[:, 4] = 0
    assert frechet_distance(features, features + 1) == pytest.approx(9, rel=1e-6)
    assert 0 <= frechet_distance(features, features) < 1e-12  # some would round to less than 0
