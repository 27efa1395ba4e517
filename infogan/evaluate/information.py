"""What the categorical codes decide of factors of generated images."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from infogan.base.dataset import Factor
from infogan.evaluate.factor_metrics import discretise, entropies, mutual_information
from infogan.evaluate.readers import Read
from infogan.evaluate.subject import Measurements, Subject
from infogan.method.codes import sample
from infogan.method.networks import Generator
from infogan.method.traversal import generate
from infogan.params import CodeLayout


def measure(subject: Subject) -> Measurements:
    """Where the judge reads factors: the share of each that the most telling code decides."""
    factors = subject.data_set.factors
    if not factors or not subject.layout.categorical:
        return Measurements()
    subject.progress("reading factors of images of every category")
    shares = category_information(
        subject.generator,
        subject.reader.read,
        subject.layout,
        factors,
        subject.num_samples,
        subject.stream("categories"),
    )
    names = [factor.name for factor in factors]
    best = zip(names, shares.max(axis=0), strict=True)
    return Measurements(
        {f"{name}_category_share": float(share) for name, share in best},
        information={"factors": names, "codes": shares.tolist()},
    )


def category_information(
    generator: Generator,
    read: Read,
    layout: CodeLayout,
    factors: Sequence[Factor],
    num_samples: int,
    rng: torch.Generator,
) -> Float[np.ndarray, "code factor"]:
    """Share of each factor's entropy that each categorical code gives away: I(c; v) / H(v).

    `num_samples` images with all codes and the noise drawn from the prior; v is what `read` finds
    in them, in bins of equally many images, a binary factor by which half of its range it is in.
    Between 0 and 1; 0 for a factor that never changes. Counting finds some information in chance,
    about (categories - 1) (values - 1) / 2n nats.
    """
    latents = sample(layout, num_samples, rng)
    values = read(generate(generator, latents)).double().numpy()
    for i, factor in enumerate(factors):
        if factor.binary:
            values[:, i] = values[:, i] > (factor.low + factor.high) / 2
    codes = range(len(layout.categorical))
    categories = [latents[:, layout.categorical_slice(code)].argmax(dim=1) for code in codes]
    bins = discretise(values)
    nats = mutual_information(torch.stack(categories, dim=1).cpu().numpy(), bins)
    possible = entropies(bins)
    return nats / np.where(possible > 0, possible, 1)
