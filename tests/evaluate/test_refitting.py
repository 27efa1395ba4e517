import math

import pytest
import torch
from torch import nn

from infogan.evaluate.bounds import bound_scores, refit_recognition, with_learned_std
from infogan.method.networks import TABLES, Generator, build_networks


class Showing(Generator):
    """Shows the codes (5 and 3 categories, 2 continuous) as bright columns, or nothing of them."""

    def __init__(self, visible: bool) -> None:
        nn.Module.__init__(self)
        self.unused = nn.Parameter(torch.zeros(1))
        self.visible = visible

    def forward(self, latents):
        shown = latents[:, 6:] if self.visible else torch.zeros_like(latents[:, 6:])
        columns = shown.repeat_interleave(2, dim=1)[:, None, None, :]
        return nn.functional.pad(columns.expand(-1, 1, 28, -1), (4, 4))


@pytest.fixture
def small(make_params):
    return make_params({"networks.width": 0.1, "networks.init_std": 0.1})


@pytest.fixture
def discriminator(small):
    return build_networks(TABLES["mnist"], small.codes, small.networks, seed=0)[1].eval()


def refit(generator, discriminator, small, backend, num_steps=300):
    rng = torch.Generator().manual_seed(1)
    return refit_recognition(generator, discriminator, small, num_steps, rng, backend)


def bound(generator, discriminator, small):
    rng = torch.Generator().manual_seed(2)
    return bound_scores(generator, discriminator, with_learned_std(small.codes), 2000, rng)


def test_the_bound_of_visible_codes_rises_towards_their_entropy(small, discriminator, backend):
    generator = Showing(visible=True)
    assert bound(generator, discriminator, small)["bound_cat_nats"] < 0.1
    refitted = refit(generator, discriminator, small, backend)
    scores = bound(generator, refitted, small)
    assert 1 < scores["bound_cat_nats"] <= math.log(5) + math.log(3)
    assert scores["bound_cont_nats"] > 1


def test_no_training_finds_codes_that_the_images_do_not_show(small, discriminator, backend):
    generator = Showing(visible=False)
    scores = bound(generator, refit(generator, discriminator, small, backend), small)
    assert scores["bound_cat_nats"] <= 0.05
    assert scores["bound_cont_nats"] <= 0.05


def test_the_networks_passed_in_stay_as_they_are(small, backend):
    networks = build_networks(TABLES["mnist"], small.codes, small.networks, seed=0)
    before = [{k: v.clone() for k, v in network.state_dict().items()} for network in networks]
    generator, discriminator = (network.eval() for network in networks)
    refitted = refit(generator, discriminator, small, backend, num_steps=2)
    for network, state in zip(networks, before, strict=True):
        assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert not torch.equal(refitted.trunk[0].weight, discriminator.trunk[0].weight)
    assert not refitted.training
