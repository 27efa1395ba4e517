"""Known factors of variation: what each one is, how they are drawn, and as what they are read.

Factors of images are float32 [image, factor], each in its own unit. A circular factor, such as a
rotation over the full circle, has no beginning: its two ends are the same image. Wherever a factor
is predicted or correlated it is therefore taken as its coordinates: its sine and cosine if it is
circular, itself if not.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor


class Factor(NamedTuple):
    """One factor between `low` and `high`; a circular one runs from -pi to pi.

    A binary one is either `low` or `high`.
    """

    name: str
    low: float
    high: float
    circular: bool = False
    binary: bool = False


class FactorImages(NamedTuple):
    """Images with their factors, such as those that they were rendered from."""

    images: UInt8[Tensor, "image channel height width"]
    factors: Float32[Tensor, "image factor"]


def rotation(name: str) -> Factor:
    """An angle over the full circle, in radians."""
    return Factor(name, -math.pi, math.pi, circular=True)


def attribute(name: str) -> Factor:
    """What an image has (1) or has not (0)."""
    return Factor(name, 0.0, 1.0, binary=True)


def sample_factors(
    factors: Sequence[Factor], num: int, rng: torch.Generator
) -> Float32[Tensor, "num factor"]:
    """Independent draws, each factor uniform over its range."""
    low = torch.tensor([factor.low for factor in factors])
    high = torch.tensor([factor.high for factor in factors])
    return low + (high - low) * torch.rand(num, len(factors), generator=rng)


def coordinates(
    values: Float[Tensor, "image factor"], factors: Sequence[Factor]
) -> Float[Tensor, "image coordinate"]:
    """What a regression is to predict: sine and cosine of a circular factor, [-1, 1] of the rest.

    A factor that is not circular is moved and scaled so that its range becomes [-1, 1].
    """
    columns = []
    for value, factor in zip(values.unbind(1), factors, strict=True):
        if factor.circular:
            columns += [value.sin(), value.cos()]
        else:
            columns.append(2 * (value - factor.low) / (factor.high - factor.low) - 1)
    return torch.stack(columns, dim=1)


def num_coordinates(factors: Sequence[Factor]) -> int:
    """How many columns `coordinates` has."""
    return sum(2 if factor.circular else 1 for factor in factors)


def from_coordinates(
    columns: Float[Tensor, "image coordinate"], factors: Sequence[Factor]
) -> Float[Tensor, "image factor"]:
    """Inverse of `coordinates`; an angle is that of the point (cosine, sine), at any radius."""
    waiting = iter(columns.unbind(1))
    values = []
    for factor in factors:
        first = next(waiting)
        if factor.circular:
            values.append(torch.atan2(first, next(waiting)))
        else:
            values.append(factor.low + (factor.high - factor.low) * (first + 1) / 2)
    return torch.stack(values, dim=1)


LUMINANCE = Factor("luminance", 0.0, 1.0)  # mean of all channels and pixels, 0 black, 1 white
# What the renderers in `heads` and `seats` vary besides identity and style.
HEAD_FACTORS = (
    Factor("azimuth", -math.pi / 3, math.pi / 3),  # radians; positive: looks to the picture's right
    Factor("elevation", -math.pi / 8, math.pi / 8),  # radians; positive: seen from above
    Factor("light", -0.45 * math.pi, 0.45 * math.pi),  # radians; positive: lit from the right
    Factor("width", 0.8, 1.25),  # of the head, over that of its identity
)
SEAT_FACTORS = (
    rotation("rotation"),  # radians, about the vertical; 0: faces the viewer, pi / 2: right
    Factor("width", 0.7, 1.3),  # of the seat, over that of its style
)
# Chairs: the sides and the two heights from which each model is rendered, in radians.
CHAIR_FACTORS = (rotation("rotation"), Factor("elevation", math.radians(20), math.radians(30)))
# Faces: what a list of renders is to say of each, in radians; 0 faces the viewer and the light.
FACE_FACTORS = tuple(
    Factor(name, -math.pi / 2, math.pi / 2) for name in ("azimuth", "elevation", "light")
)
# CelebA: the attributes, in the order of their file.
CELEBA_ATTRIBUTES = tuple(
    attribute(name)
    for name in (
        *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs"),
        *("Big_Lips", "Big_Nose", "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair"),
        *("Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses", "Goatee", "Gray_Hair"),
        *("Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache"),
        *("Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose"),
        *("Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair"),
        *("Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick"),
        *("Wearing_Necklace", "Wearing_Necktie", "Young"),
    )
)
