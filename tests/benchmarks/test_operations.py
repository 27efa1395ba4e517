import pytest
import torch
from torch import nn

from benchmarks.operations import forward_multiply_adds, step_multiply_adds
from infogan.method.networks import TABLES
from infogan.objectives import OBJECTIVES
from infogan.params import Networks
from tests.layouts import code_layout

PAPER = code_layout(62, (10,), 2)
OPTIONS = Networks(leaky_slope=0.1, init_std=0.02, norm_eps=1e-5, norm_momentum=0.1, width=1.0)


def test_each_layer_counts_its_weights_once_per_position():
    network = nn.Sequential(
        nn.Conv2d(3, 5, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(5, 2, 4, stride=2, padding=1),
        nn.Flatten(),
        nn.Linear(2 * 8 * 12, 7),
    )
    # 8 x 12 pixels become 4 x 6 and 8 x 12 again.
    expected = [4 * 6 * 5 * 3 * 16, 4 * 6 * 5 * 2 * 16, 2 * 8 * 12 * 7]
    assert forward_multiply_adds(network, torch.zeros(2, 3, 8, 12)) == expected


@pytest.mark.parametrize(("fresh", "millions"), [(False, 143.9), (True, 157.0)])
def test_a_step_with_the_papers_networks_counts_as_by_hand(make_params, fresh, millions):
    plain = {
        "lambda_information": 0.0,
        "lambda_consistency": 0.0,
        "categories_from_maps": False,
    }
    objective = OBJECTIVES["infogan"](make_params(plain))
    passes = step_multiply_adds(TABLES["mnist"], PAPER, OPTIONS, objective, fresh=fresh)
    conv1, conv2, dense = 14 * 14 * 64 * 16, 7 * 7 * 128 * 64 * 16, 7 * 7 * 128 * 1024
    trunk, head, q = conv1 + conv2 + dense, 1024, 1024 * 128 + 128 * 14
    first, g = 74 * 1024, 74 * 1024 + dense + conv2 + conv1
    assert passes == {
        "G, forward": g * (1 + fresh),
        "D and Q on fake images": 3 * (trunk + head + q) - conv1,
        "D on real images": 3 * (trunk + head) - conv1,
        "D's gradients for G": 2 * (trunk + head + q),
        "G, backward": 2 * g - first,
    }
    assert sum(passes.values()) / 1e6 == pytest.approx(millions, abs=0.1)


def test_each_addition_counts_the_passes_that_it_adds(make_params):
    def total(**changes):
        objective = OBJECTIVES["infogan"](make_params(changes))
        passes = step_multiply_adds(TABLES["mnist"], PAPER, OPTIONS, objective, fresh=False)
        return sum(passes.values())

    off = {"lambda_information": 0.0, "lambda_consistency": 0.0, "categories_from_maps": False}
    q = 1024 * 128 + 128 * 14
    trunk_passes = 3 * (14 * 14 * 64 * 16 + 2 * 7 * 7 * 128 * 1024) - 14 * 14 * 64 * 16
    assert total(**off | {"categories_from_maps": True}) - total(**off) == trunk_passes + 3 * q
    assert total(**off | {"lambda_information": 0.5}) - total(**off) == trunk_passes + 6 * q
