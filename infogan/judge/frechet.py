"""The Frechet distance between two sets of images, on features that the caller chose."""

import torch
from jaxtyping import Float
from torch import Tensor


def frechet_distance(
    features_a: Float[Tensor, "image_a feature"], features_b: Float[Tensor, "image_b feature"]
) -> float:
    """Squared Frechet distance between Gaussians fitted to both sets (Heusel et al., 2017).

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) with means m and unbiased covariances C, in
    float64: 0 for equal sets, in squared units of the features, symmetric. It falls as sets grow,
    so two distances are comparable only at equal sizes and on the same features; distances on
    Inception's features are on another scale.

    Protocol: 10,000 generated against 10,000 training images. The floor is the same measure of
    10,000 test against the same 10,000 training images: what a perfect generator would score.
    """
    mean_a, root_a = _gaussian(features_a)
    mean_b, root_b = _gaussian(features_b)
    # With C = R'R, the eigenvalues of C_a C_b are the squared singular values of R_a R_b': no root
    # of a matrix that is not symmetric, and no negative eigenvalue from rounding.
    overlap = torch.linalg.svdvals(root_a @ root_b.T).sum()
    spread = root_a.square().sum() + root_b.square().sum() - 2 * overlap
    return ((mean_a - mean_b).square().sum() + spread.clamp(min=0)).item()


def _gaussian(
    features: Float[Tensor, "image feature"],
) -> tuple[Float[Tensor, " feature"], Float[Tensor, "row feature"]]:
    """Mean, and a triangular root R of the covariance C = R'R."""
    features = features.double()
    mean = features.mean(0)
    root = torch.linalg.qr((features - mean) / (len(features) - 1) ** 0.5, mode="r").R
    return mean, root
