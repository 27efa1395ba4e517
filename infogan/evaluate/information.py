"""What the categorical codes decide of factors of generated images."""

import numpy as np
import torch

from infogan.evaluate.factor_metrics import discretise, entropies, mutual_information
from infogan.evaluate.subject import Measurements, Subject
from infogan.method.codes import sample, split_categorical
from infogan.method.traversal import generate


def measure(subject: Subject) -> Measurements:
    """Where the judge reads factors: the share of each that the most telling code decides.

    The share of a factor's entropy that a categorical code gives away, I(c; v) / H(v), of
    `num_samples` images with all codes and the noise drawn from the prior; v is what the judge
    reads, in bins of equally many images, a binary factor by which half of its range it is in.
    Between 0 and 1; 0 for a factor that never changes. Counting finds some information in chance,
    about (categories - 1) (values - 1) / 2n nats.
    """
    factors, layout = subject.data_set.factors, subject.layout
    if not factors or not layout.categorical:
        return Measurements()
    subject.progress("reading factors of images of every category")
    latents = sample(layout, subject.num_samples, subject.stream("categories"))
    values = subject.reader.read(generate(subject.generator, latents)).double().numpy()
    for i, factor in enumerate(factors):
        if factor.binary:
            values[:, i] = values[:, i] > (factor.low + factor.high) / 2
    categories = [code.argmax(dim=1) for code in split_categorical(layout, latents)]
    bins = discretise(values)
    nats = mutual_information(torch.stack(categories, dim=1).cpu().numpy(), bins)
    possible = entropies(bins)
    shares = nats / np.where(possible > 0, possible, 1)
    best = zip(factors, shares.max(axis=0), strict=True)
    return Measurements(
        {f"{factor.name}_category_share": float(share) for factor, share in best},
        information={"factors": [factor.name for factor in factors], "codes": shares.tolist()},
    )
