"""Stand-in for the paper's Faces: heads of ellipsoids, 32x32 grey, four known factors.

These are not the paper's images, which are renders of a model of faces. They let the paper's claim
be measured: codes that find azimuth, elevation, lighting and width among heads whose identity
differs from image to image.
"""

import math

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from infogan.base.factors import sample_factors
from infogan.base.images import FactorImages
from infogan.datasets import lookup
from infogan.download.solids import (
    Light,
    Solids,
    blended_solids,
    see_ellipsoids,
    to_pixels,
    upright,
    view,
)

SIZE = 32
# What makes an identity, each U(-1, 1); `_solids` says what it does.
IDENTITY = (
    *("skull_height", "skull_depth", "jaw_width", "jaw_height"),
    *("nose_length", "nose_width", "nose_tilt", "eye_height", "eye_distance", "eye_size"),
    *("brow", "mouth_height", "mouth_width", "ear_size", "ear_height"),
    *("hairline", "hair_volume", "hair_length", "hair_grey", "skin_grey"),
)
LIGHT_HEIGHT = 0.35  # radians above the horizon
AMBIENT, BACKGROUND, SOFTNESS = 0.3, 0.0, 0.02
BATCH_SIZE = 16  # images at once: their pictures stay in the processor's cache


def draw_heads(num: int, rng: torch.Generator) -> FactorImages:
    """Heads with independent factors (those of `infogan.datasets.heads`, uniform) and identities.

    The same generator state gives the same bytes on the same kind of machine.
    """
    factors = sample_factors(lookup("heads").factors, num, rng)
    return FactorImages(render_heads(factors, sample_identities(num, rng)), factors)


def sample_identities(num: int, rng: torch.Generator) -> Float32[Tensor, "num identity"]:
    """Independent draws of everything in IDENTITY."""
    return 2 * torch.rand(num, len(IDENTITY), generator=rng) - 1


def render_heads(
    factors: Float32[Tensor, "image factor"], identities: Float32[Tensor, "image identity"]
) -> UInt8[Tensor, "image 1 height width"]:
    """The pictures of heads, on black."""
    batches = zip(factors.split(BATCH_SIZE), identities.split(BATCH_SIZE), strict=True)
    return torch.cat([_render(*batch) for batch in batches])


def _render(factors: Tensor, identities: Tensor) -> Tensor:
    azimuth, elevation, light, width = factors.unbind(1)
    solids = _solids(width, identities)
    seen = see_ellipsoids(solids, view(azimuth, elevation), _light(light), SIZE)
    return to_pixels(blended_solids(seen, BACKGROUND, SOFTNESS))


def _light(angle: Float32[Tensor, " image"]) -> Light:
    """A light that moves around the vertical with `angle`, 0 behind the viewer."""
    level = math.cos(LIGHT_HEIGHT)
    height = torch.full_like(angle, math.sin(LIGHT_HEIGHT))
    direction = torch.stack([level * angle.sin(), height, level * angle.cos()], dim=1)
    return Light(direction, AMBIENT)


def _solids(width: Float32[Tensor, " image"], identities: Float32[Tensor, "image trait"]) -> Solids:
    """The ellipsoids of heads, lengths in shares of half the picture."""
    t = dict(zip(IDENTITY, identities.unbind(1), strict=True))
    skin, hair = 0.87 + 0.13 * t["skin_grey"], 0.34 + 0.22 * t["hair_grey"]
    chin = -0.24 - 0.05 * t["jaw_height"]
    eye_x, eye_y = 0.19 + 0.03 * t["eye_distance"], 0.06 + 0.03 * t["eye_height"]
    eye, brow_y = 1 + 0.25 * t["eye_size"], eye_y + 0.13 + 0.02 * t["brow"]
    nose_y, mouth_y = -0.08 - 0.02 * t["nose_length"], -0.36 + 0.04 * t["mouth_height"]
    ear, ear_y = 1 + 0.35 * t["ear_size"], 0.02 + 0.06 * t["ear_height"]
    skull_y, skull_z = 0.56 + 0.05 * t["skull_height"], 0.53 + 0.05 * t["skull_depth"]
    jaw, long = 0.41 + 0.05 * t["jaw_width"], 0.5 + 0.5 * t["hair_length"]
    volume, hairline = 0.065 + 0.03 * t["hair_volume"], 0.04 * t["hairline"]

    parts: list[tuple] = [  # centre; radii; pitch; albedo
        ((0, 0.13, -0.06), (0.5, skull_y, skull_z), 0, skin),
        ((0, chin, 0.06), (jaw, 0.42, 0.42), 0, skin),
        ((0, -0.85, -0.12), (0.24, 0.6, 0.24), 0, 0.85 * skin),
        (
            (0, nose_y, 0.47),
            (0.08 + 0.025 * t["nose_width"], 0.17, 0.13 + 0.04 * t["nose_length"]),
            0.35 + 0.2 * t["nose_tilt"],
            skin,
        ),
        ((0, mouth_y, 0.4), (0.15 + 0.04 * t["mouth_width"], 0.045, 0.08), 0, 0.5 * skin),
        ((0, 0.32, -0.13 + hairline), (0.48 + volume, skull_y - 0.14 + volume, skull_z), 0, hair),
        ((0, 0.1 - 0.45 * long, -0.3), (0.45 + volume, 0.3 + 0.35 * long, 0.3), 0, hair),
    ]
    for side in (-1, 1):
        parts += [
            ((side * eye_x, eye_y, 0.405), (0.1 * eye, 0.06 * eye, 0.06), 0, 0.97),
            ((side * eye_x, eye_y, 0.435), (0.045 * eye, 0.05 * eye, 0.05), 0, 0.05),
            ((side * eye_x, brow_y, 0.42), (0.12, 0.03 + 0.01 * t["brow"], 0.06), 0, 0.8 * hair),
            ((side * 0.5, ear_y, -0.06), (0.07 * ear, 0.15 * ear, 0.09 * ear), 0, 0.9 * skin),
        ]
    stretch = torch.stack([width, torch.ones_like(width), torch.ones_like(width)], dim=1)[:, None]
    centre, radii = (_columns([part[i] for part in parts], width) * stretch for i in (0, 1))
    pitch, albedo = (_columns([(part[i],) for part in parts], width)[..., 0] for i in (2, 3))
    return Solids(centre, upright(radii, pitch), albedo.clamp(0, 1))


def _columns(rows: list, like: Float32[Tensor, " image"]) -> Float32[Tensor, "image part value"]:
    """Numbers, the same for all images, and columns, one value per image, as one array."""
    filled = [[torch.zeros_like(like) + value for value in row] for row in rows]
    return torch.stack([torch.stack(row, dim=1) for row in filled], dim=1)
