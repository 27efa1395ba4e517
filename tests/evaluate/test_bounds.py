import math

import pytest
import torch
from torch.distributions import Normal

from infogan.evaluate.bounds import bound_scores, refit_recognition
from infogan.method.codes import sample
from infogan.method.networks import TABLES, build_networks
from tests.evaluate.hand_made import FirstRow, HandMade, Reading, subject_of
from tests.layouts import code_layout, seeded

CATEGORICAL = code_layout(4, (5, 3), 0)
CONTINUOUS = code_layout(3, (), 2)


def scores_of(layout, read, num_samples, seed=0):
    """Bounds where G shows its latents as an image, and Q reads them so."""
    generator = HandMade(lambda latents: latents[:, None, None])
    q = Reading(lambda images: read(images[:, 0, 0]))
    return bound_scores(generator, q, layout, num_samples, seeded(seed))


def test_the_categorical_bound_is_log_size_of_each_code_that_q_reads():
    def first_alone(latents):
        logits = 90 * latents[:, CATEGORICAL.categorical_slice(0)]
        return torch.cat([logits, torch.zeros(len(latents), 3)], dim=1)

    scores = scores_of(CATEGORICAL, first_alone, 2500)  # more than a batch
    assert scores == {"bound_cat_nats": pytest.approx(math.log(5), abs=1e-4)}


def test_the_continuous_bound_with_std_1_is_capped_however_well_q_reads():
    scores = scores_of(CONTINUOUS, lambda z: torch.cat([z[:, -2:], torch.zeros(len(z), 2)], 1), 100)
    assert scores["bound_cont_nats"] == pytest.approx(2 * -0.225792, abs=1e-4)
    assert 20 < scores["bound_cont_fitted_nats"] < math.inf


def test_the_fitted_std_is_each_codes_own_and_scored_on_samples_it_was_not_fitted_on():
    half = torch.tensor([0.5, 0.1])
    for seed in range(3):
        error = (sample(CONTINUOUS, 4, seeded(seed))[:, -2:]) * (1 - half)
        fitted = Normal(0, error[:2].square().mean(dim=0).sqrt()).log_prob(error[2:])
        scores = scores_of(
            CONTINUOUS, lambda z: torch.cat([half * z[:, -2:], torch.zeros(len(z), 2)], 1), 4, seed
        )
        expected = {
            "bound_cont_nats": Normal(0, 1).log_prob(error).sum(dim=1).mean() + 2 * math.log(2),
            "bound_cont_fitted_nats": fitted.sum(dim=1).mean() + 2 * math.log(2),
        }
        assert scores == pytest.approx({k: v.item() for k, v in expected.items()}, abs=1e-4)


def test_refitting_leaves_the_networks_as_they_are(make_params):
    params = make_params(
        {"networks.width": 0.1, "networks.init_std": 0.1, "evaluate.refit_steps": 2}
    )
    networks, same = (
        build_networks(TABLES["mnist"], params.codes, params.networks, seed=0) for _ in range(2)
    )
    generator, discriminator = (network.eval() for network in networks)
    subject = subject_of(params, generator, FirstRow(1), q=discriminator)
    refitted = refit_recognition(subject, seeded())
    for network, other in zip(networks, same, strict=True):
        state = other.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert not torch.equal(refitted.trunk[0].weight, discriminator.trunk[0].weight)
    assert not refitted.training
