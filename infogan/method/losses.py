"""The GAN losses on logits, and the lower bound L_I on the mutual information, in nats.

Equation numbers are the paper's. Losses are minimised, bounds are maximised.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from infogan.method.codes import Recognition, split_categorical
from infogan.params import CodeLayout


def discriminator_loss(
    real_logits: Float[Tensor, " batch"], fake_logits: Float[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """-E[log D(x)] - E[log(1 - D(G(z, c)))], the negative of Eq. 1: 2 log 2 at D = 1/2."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def generator_loss(fake_logits: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """-E[log D(G(z, c))], the non-saturating loss: log 2 at D = 1/2."""
    return softplus(-fake_logits).mean()


def categorical_bound(
    code: Float[Tensor, "batch size"], logits: Float[Tensor, "batch size"]
) -> Float[Tensor, ""]:
    """Lower bound on I(c; G(z, c)) for one uniform categorical code, in nats.

    E[log Q(c|x)] + H(c): at most log(size), 0 when Q ignores the image, negative
    when Q does worse than guessing.
    """
    log_q = (code * logits.log_softmax(dim=1)).sum(dim=1)
    return log_q.mean() + math.log(code.shape[1])


def continuous_bound(
    code: Float[Tensor, "batch continuous"],
    mean: Float[Tensor, "batch continuous"],
    log_std: Float[Tensor, "batch continuous"],
) -> Float[Tensor, ""]:
    """Lower bound on I(c; G(z, c)) for independent U(-1, 1) codes, summed over them, in nats.

    E[log N(c; mean, std)] + log 2 per code. With std fixed at 1 it is at most
    log 2 - log(2 pi) / 2 = -0.226 per code however well Q reads the code; with a learned std it
    grows without limit as Q's error shrinks.
    """
    error = (code - mean) * torch.exp(-log_std)
    log_q = -0.5 * error.square() - log_std - 0.5 * math.log(2 * math.pi)
    return (log_q + math.log(2)).sum(dim=1).mean()


def bounds(
    layout: CodeLayout, latents: Float[Tensor, "batch latent"], q: Recognition
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """L_I of the categorical codes together and of the continuous codes together, in nats.

    With a fixed std of the continuous codes, Q's own is not used: it is 1.
    """
    categorical = torch.zeros((), device=latents.device)
    for code, logits in zip(split_categorical(layout, latents), q.logits, strict=True):
        categorical = categorical + categorical_bound(code, logits)
    log_std = q.log_std if layout.learned_std else torch.zeros_like(q.log_std)
    continuous = continuous_bound(latents[:, layout.continuous_slice], q.mean, log_std)
    return categorical, continuous


def information(logits: Float[Tensor, "batch size"]) -> Float[Tensor, ""]:
    """Mutual information of images and categories under Q, over the batch, in nats.

    H(E[Q(c|x)]) - E[H(Q(c|x))]: at most log(size), when every image has one sure category and all
    are equally used (regularised information maximisation, Krause et al. 2010).
    """
    log_q = logits.log_softmax(dim=1)
    log_marginal = log_q.logsumexp(dim=0) - math.log(len(logits))
    marginal_entropy = -(log_marginal.exp() * log_marginal).sum()
    conditional_entropy = -(log_q.exp() * log_q).sum(dim=1).mean()
    return marginal_entropy - conditional_entropy


def inconsistency(
    logits: Float[Tensor, "batch size"], mapped_logits: Float[Tensor, "batch size"]
) -> Float[Tensor, ""]:
    """Cross-entropy of Q on mapped images against Q on the images themselves, in nats.

    The answer to the unmapped image is the target and receives no gradient (self-augmented
    training, Hu et al. 2017).
    """
    target = logits.softmax(dim=1).detach()
    return -(target * mapped_logits.log_softmax(dim=1)).sum(dim=1).mean()
