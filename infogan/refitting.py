"""Q trained to convergence on a frozen generator, since a lower bound depends on its Q."""

import copy
from functools import partial

import torch

from infogan.codes import sample, split_recognition
from infogan.losses import bounds
from infogan.networks import Discriminator, Generator
from infogan.optimisation import MasterWeights
from infogan.params import Params
from infogan.runtime import Backend

BATCH_SIZE = 128


def refit_recognition(
    generator: Generator,
    discriminator: Discriminator,
    params: Params,
    num_steps: int,
    rng: torch.Generator,
    backend: Backend,
) -> Discriminator:
    """A copy of D whose trunk and Q maximise L_I of all codes on fresh images of a frozen G.

    Both lambdas are 1, the std of the continuous codes is learned, D's own task is dropped, and the
    learning rate falls linearly from 1e-3 to 0. The networks passed in stay as they are.
    """
    layout = params.codes.layout
    refitted = copy.deepcopy(discriminator).to(backend.device).train()
    weights = MasterWeights(
        refitted, backend.precision, partial(torch.optim.Adam, lr=1e-3, betas=(0.9, 0.999))
    )
    for step in range(num_steps):
        weights.optimizer.param_groups[0]["lr"] = 1e-3 * (1 - step / num_steps)
        latents = sample(layout, BATCH_SIZE, params.codes.noise_prior, rng)
        with torch.no_grad():
            images = generator(latents).to(backend.precision)
        output = refitted.recognise(images).float()
        q = split_recognition(layout, output)
        categorical, continuous = bounds(layout, latents, q, learned_std=True)
        weights.descend(-(categorical + continuous))
    weights.restore()
    return refitted.eval()
