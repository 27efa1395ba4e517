"""L_I on fresh samples: with Q as trained, and with a copy of it, trained on.

Each is a lower bound, and the larger one says more. A control's Q was trained, if at all, on a
generator that moved; where Q is good already, a short training may read less than it did.
"""

import copy
from functools import partial

import torch

from infogan.base.images import AT_ONCE
from infogan.evaluate.subject import Measurements, Subject
from infogan.method.codes import sample, split_recognition
from infogan.method.losses import bounds, continuous_bound
from infogan.method.networks import Discriminator, Generator
from infogan.method.optimisation import Adam, MasterWeights
from infogan.params import CodeLayout

REFIT_BATCH_SIZE = 128


def measure(subject: Subject) -> Measurements:
    """How much Q knows of the codes of fresh generated images, and how much it would, refitted."""
    generator, layout, num = subject.generator, subject.layout, subject.num_samples
    subject.progress("reading the codes of generated images")
    rng = subject.stream("bounds")
    trained = bound_scores(generator, subject.discriminator, layout, num, rng)
    subject.progress("training Q on the frozen generator")
    rng = subject.stream("refit")
    refitted = refit_recognition(subject, rng)
    scores = bound_scores(generator, refitted, with_learned_std(layout), num, rng)
    refit = {
        f"{key.removesuffix('_nats')}_refit_nats": value
        for key, value in scores.items()
        if "fitted" not in key
    }
    return Measurements(trained | refit)


def with_learned_std(layout: CodeLayout) -> CodeLayout:
    """The same layout, the std of its continuous codes an output of Q."""
    return layout.model_copy(update={"continuous_std": "learned"})


def refit_recognition(subject: Subject, rng: torch.Generator) -> Discriminator:
    """A copy of D whose trunk and Q maximise L_I of all codes on fresh images of a frozen G.

    Both lambdas are 1, the std of the continuous codes is learned, D's own task is dropped, and the
    learning rate falls linearly from 1e-3 to 0. The subject's networks stay as they are.
    """
    layout, backend = with_learned_std(subject.layout), subject.backend
    num_steps = subject.params.evaluate.refit_steps
    refitted = copy.deepcopy(subject.discriminator).train()
    weights = MasterWeights(refitted, backend.precision, partial(Adam, lr=1e-3))
    for step in range(num_steps):
        weights.optimizer.lr = 1e-3 * (1 - step / num_steps)
        latents = sample(layout, REFIT_BATCH_SIZE, rng)
        with torch.no_grad(), backend.autocast():
            images = subject.generator(latents).to(backend.precision)
        q = refitted.read(refitted.trunk(images))
        categorical, continuous = bounds(layout, latents, q)
        weights.descend(-(categorical + continuous))
    weights.restore()
    return refitted.eval()


def bound_scores(
    generator: Generator,
    discriminator: Discriminator,
    layout: CodeLayout,
    num_samples: int,
    rng: torch.Generator,
) -> dict[str, float]:
    """L_I on fresh samples, in nats, H(c) exact for the prior.

    `bound_cat_nats` is that of the categorical codes together and `bound_cont_nats` that of the
    continuous ones, both with Q as trained. `bound_cont_fitted_nats` gives each continuous code
    instead the constant std that makes the bound largest, fitted on the first half of the samples
    and scored on the second: where training fixes the std at 1, only this says how much Q knows.
    """
    codes = sample(layout, num_samples, rng)
    with torch.inference_mode():
        outputs = [discriminator.recognise(generator(batch)) for batch in codes.split(AT_ONCE)]
    q = split_recognition(layout, torch.cat(outputs))
    categorical, continuous = bounds(layout, codes, q)
    scores = {}
    if layout.categorical:
        scores["bound_cat_nats"] = categorical.item()
    if layout.continuous:
        scores["bound_cont_nats"] = continuous.item()
        targets = codes[:, layout.continuous_slice]
        half = num_samples // 2
        error = (targets - q.mean)[:half].square().mean(dim=0).clamp_min(1e-12)
        fitted = (0.5 * error.log()).expand(num_samples - half, -1)
        scores["bound_cont_fitted_nats"] = continuous_bound(
            targets[half:], q.mean[half:], fitted
        ).item()
    return scores
