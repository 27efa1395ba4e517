import pytest
import torch

from infogan.evaluate.bounds import bound_scores, refit_recognition, with_learned_std
from infogan.method.networks import TABLES, build_networks
from tests.evaluate.hand_made import HandMade


@pytest.fixture
def small(make_params):
    return make_params({"networks.width": 0.1, "networks.init_std": 0.1})


def networks_of(small):
    networks = build_networks(TABLES["mnist"], small.codes, small.networks, seed=0)
    return [network.eval() for network in networks]


def refit(generator, discriminator, small, backend, num_steps):
    rng = torch.Generator().manual_seed(1)
    return refit_recognition(generator, discriminator, small, num_steps, rng, backend)


def test_no_training_finds_codes_that_the_images_do_not_show(small, backend):
    blank = HandMade(lambda latents: torch.zeros(len(latents), 1, 28, 28))
    refitted = refit(blank, networks_of(small)[1], small, backend, num_steps=100)
    rng = torch.Generator().manual_seed(2)
    scores = bound_scores(blank, refitted, with_learned_std(small.codes), 2000, rng)
    assert scores["bound_cat_nats"] <= 0.05
    assert scores["bound_cont_nats"] <= 0.05


def test_the_networks_passed_in_stay_as_they_are(small, backend):
    networks = networks_of(small)
    refitted = refit(*networks, small, backend, num_steps=2)
    for network, same in zip(networks, networks_of(small), strict=True):
        state = same.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert not torch.equal(refitted.trunk[0].weight, networks[1].trunk[0].weight)
    assert not refitted.training
