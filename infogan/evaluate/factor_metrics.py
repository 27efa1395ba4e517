"""How well codes represent known factors: arrays in, numbers out, protocol in the docstring.

`codes[image, code]` is what a representation says of each image, such as Q's means; `values[image,
factor]` are the factors that the image was rendered from. The scores look at ranks or at shares of
variance, so that none depends on a code's scale or sign. A circular factor has no order of its
own; each function says how it is taken. Information is in nats.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.stats import rankdata

from infogan.base.dataset import Factor
from infogan.base.factors import coordinates
from infogan.base.randomness import random_stream

NUM_BINS = 20  # as Locatello et al. (2019) discretise codes; theirs are of equal width
NUM_CUTS = 36  # places, every 10 degrees, where a circle may be cut open
NUM_VOTES, GROUP_SIZE = 800, 64  # of the FactorVAE score
DEAD_BELOW = 1e-6  # a code with a standard deviation as small says nothing


def rank_correlations(
    codes: Float[np.ndarray, "image code"],
    values: Float[np.ndarray, "image factor"],
    factors: Sequence[Factor],
) -> Float[np.ndarray, "code factor"]:
    """Spearman's rank correlation of every code with every factor, signed; 0 for a constant one.

    A circle is cut open where that makes the absolute correlation largest, out of NUM_CUTS places:
    1 for a code that runs once around it. A code of n images that has nothing to do with the circle
    then scores about 2 / sqrt(n).
    """
    columns = [
        _best_cut(codes, value) if factor.circular else _rank_correlation(codes, value)
        for value, factor in zip(values.T, factors, strict=True)
    ]
    return np.stack(columns, axis=1)


def explained_shares(
    codes: Float[np.ndarray, "image code"],
    values: Float[np.ndarray, "image factor"],
    factors: Sequence[Factor],
) -> Float[np.ndarray, "code factor"]:
    """R2: share of each factor's variance that each code explains, by any function of the code.

    The factor is predicted by its mean among the images in the code's bin (NUM_BINS of equally many
    images); both variances are unbiased, so that a code without information scores 0 on average. At
    most 1; 0.9975 = 1 - 1 / NUM_BINS^2 for a uniform factor that the code orders perfectly. The
    variance of a circular factor is that of its sine plus that of its cosine.
    """
    shares = np.zeros((codes.shape[1], len(factors)))
    for code, column in enumerate(discretise(codes).T):
        for factor, target in enumerate(targets(values, factors)):
            shares[code, factor] = _explained(column, target)
    return shares


def mutual_information_gap(
    codes: Float[np.ndarray, "image code"], values: Float[np.ndarray, "image factor"]
) -> float:
    """MIG (Chen et al. 2018, Eq. 6): mean over factors of (I(c; v) - I(c'; v)) / H(v), in [0, 1].

    c and c' are the codes that know most and second most of factor v. Codes and factors are put
    into NUM_BINS bins of equally many images, the bins of a circular factor being arcs, and the
    entropies are those of the counts. Those overstate information by up to NUM_BINS^2 / 2n nats,
    0.02 for 10,000 images, though mostly in both terms. A duplicated code scores 0.
    """
    information = mutual_information(discretise(codes), discretise(values))
    ordered = np.sort(np.vstack([np.zeros_like(information[:1]), information]), axis=0)
    return float(np.mean((ordered[-1] - ordered[-2]) / entropies(discretise(values))))


def mutual_information(
    codes: Int[np.ndarray, "image code"], values: Int[np.ndarray, "image factor"]
) -> Float[np.ndarray, "code factor"]:
    """I(c; v) of every pair of discrete variables, in nats: H(c) + H(v) - H(c, v)."""
    information = np.zeros((codes.shape[1], values.shape[1]))
    for code, factor in np.ndindex(*information.shape):
        c, v = codes[:, code], values[:, factor]
        joint = np.bincount(c * (v.max() + 1) + v)
        information[code, factor] = _entropy(np.bincount(c)) + _entropy(np.bincount(v))
        information[code, factor] -= _entropy(joint)
    return information


def entropies(values: Int[np.ndarray, "image factor"]) -> Float[np.ndarray, " factor"]:
    """H(v) of every discrete variable, in nats."""
    return np.array([_entropy(np.bincount(column)) for column in values.T])


def factor_vae_score(
    codes: Float[np.ndarray, "image code"],
    values: Float[np.ndarray, "image factor"],
    factors: Sequence[Factor],
    seed: int,
) -> float:
    """FactorVAE score (Kim & Mnih 2018): accuracy of a majority vote on which factor was held.

    A vote: among images that share one factor, the code whose variance over that in all images is
    least. The majority of NUM_VOTES votes for each code names the factor, and as many fresh votes
    are scored. Images that share a factor are GROUP_SIZE neighbours in the order of that factor
    (around the circle for a circular one), hence the same within GROUP_SIZE / n of its range.
    1 / number of factors for useless codes; duplicated codes may score 1. Constant codes have no
    vote; 1 / number of factors if all are constant. A code that goes once around a circle jumps
    somewhere, and is misread in up to GROUP_SIZE / n of the groups that hold that factor.
    """
    alive = codes[:, codes.std(axis=0) > DEAD_BELOW]
    if alive.shape[1] == 0:
        return 1 / len(factors)
    group_size = min(GROUP_SIZE, max(2, len(codes) // 2))
    rng = random_stream(seed, "factors/votes")
    scaled = alive / alive.std(axis=0)
    orders = values.argsort(axis=0, kind="stable")
    held = torch.randint(len(factors), (2 * NUM_VOTES,), generator=rng).numpy()
    votes = np.zeros_like(held)
    for vote, factor in enumerate(held):
        last_start = len(codes) if factors[factor].circular else len(codes) - group_size + 1
        start = int(torch.randint(last_start, (), generator=rng))
        group = orders[(start + np.arange(group_size)) % len(codes), factor]
        votes[vote] = scaled[group].var(axis=0).argmin()

    counts = np.zeros((alive.shape[1], len(factors)), dtype=np.int64)
    np.add.at(counts, (votes[:NUM_VOTES], held[:NUM_VOTES]), 1)
    named = counts.argmax(axis=1)[votes[NUM_VOTES:]]
    return float(np.mean(named == held[NUM_VOTES:]))


def discretise(columns: Float[np.ndarray, "image column"]) -> Int[np.ndarray, "image column"]:
    """The bin of each value, of NUM_BINS with equally many images; equal values share a bin.

    A column of no more than NUM_BINS different values, such as a category's number, has a bin for
    each of them.
    """
    bins = np.zeros(columns.shape, dtype=np.int64)
    for i, column in enumerate(columns.T):
        different, position = np.unique(column, return_inverse=True)
        shares = (rankdata(column, method="min") - 1) / len(column)
        bins[:, i] = position if len(different) <= NUM_BINS else shares * NUM_BINS + 1e-9
    return bins


def targets(
    values: Float[np.ndarray, "image factor"], factors: Sequence[Factor]
) -> list[Float[np.ndarray, "image _"]]:
    """What stands for each factor where it is predicted: one column, or sine and cosine."""
    return [
        coordinates(torch.from_numpy(values[:, [i]]), [factor]).numpy().astype(np.float64)
        for i, factor in enumerate(factors)
    ]


def _rank_correlation(
    codes: Float[np.ndarray, "image code"], value: Float[np.ndarray, " image"]
) -> Float[np.ndarray, " code"]:
    ranks = rankdata(np.column_stack([value, codes]), axis=0)
    ranks -= ranks.mean(axis=0)
    norms = np.sqrt((ranks**2).sum(axis=0))
    products = norms[0] * norms[1:]
    return ranks[:, 0] @ ranks[:, 1:] / np.where(products > 0, products, 1)


def _best_cut(
    codes: Float[np.ndarray, "image code"], angle: Float[np.ndarray, " image"]
) -> Float[np.ndarray, " code"]:
    cuts = np.linspace(0, 2 * math.pi, NUM_CUTS, endpoint=False)
    correlations = np.stack(
        [_rank_correlation(codes, np.mod(angle - cut, 2 * math.pi)) for cut in cuts]
    )
    best = np.abs(correlations).argmax(axis=0)
    return np.take_along_axis(correlations, best[None], axis=0)[0]


def _explained(bins: Int[np.ndarray, " image"], target: Float[np.ndarray, "image _"]) -> float:
    """1 - variance within bins over variance, both unbiased, summed over the target's columns.

    0 where it cannot be told: no bin has two images, or the target does not vary.
    """
    counts = np.bincount(bins)
    num_bins = np.count_nonzero(counts)
    total = target.var(axis=0, ddof=1).sum()
    if num_bins == len(bins) or total == 0:
        return 0.0
    residual = 0.0
    for column in target.T:
        means = np.bincount(bins, column) / np.maximum(counts, 1)
        residual += ((column - means[bins]) ** 2).sum() / (len(bins) - num_bins)
    return float(1 - residual / total)


def _entropy(counts: Int[np.ndarray, " bin"]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
