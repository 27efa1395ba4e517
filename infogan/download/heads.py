"""Stand-in for the paper's Faces: heads of ellipsoids, 32x32 grey, four known factors.

These are not the paper's images, which are renders of a model of faces. They let the paper's claim
be measured: codes that find azimuth, elevation, lighting and width among heads whose identity
differs from image to image.
"""

import math

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from infogan.download.solids import (
    Light,
    Part,
    Solids,
    assemble,
    blended_solids,
    see_ellipsoids,
    to_pixels,
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


def render_heads(
    factors: Float32[Tensor, "image factor"], identities: Float32[Tensor, "image identity"]
) -> UInt8[Tensor, "image 1 height width"]:
    """The pictures of heads, with the factors of `infogan.datasets.heads`, on black."""
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

    parts = [
        Part((0, 0.13, -0.06), (0.5, skull_y, skull_z), skin),
        Part((0, chin, 0.06), (jaw, 0.42, 0.42), skin),
        Part((0, -0.85, -0.12), (0.24, 0.6, 0.24), 0.85 * skin),
        Part(
            (0, nose_y, 0.47),
            (0.08 + 0.025 * t["nose_width"], 0.17, 0.13 + 0.04 * t["nose_length"]),
            skin,
            pitch=0.35 + 0.2 * t["nose_tilt"],
        ),
        Part((0, mouth_y, 0.4), (0.15 + 0.04 * t["mouth_width"], 0.045, 0.08), 0.5 * skin),
        Part((0, 0.32, -0.13 + hairline), (0.48 + volume, skull_y - 0.14 + volume, skull_z), hair),
        Part((0, 0.1 - 0.45 * long, -0.3), (0.45 + volume, 0.3 + 0.35 * long, 0.3), hair),
    ]
    for side in (-1, 1):
        parts += [
            Part((side * eye_x, eye_y, 0.405), (0.1 * eye, 0.06 * eye, 0.06), 0.97),
            Part((side * eye_x, eye_y, 0.435), (0.045 * eye, 0.05 * eye, 0.05), 0.05),
            Part((side * eye_x, brow_y, 0.42), (0.12, 0.03 + 0.01 * t["brow"], 0.06), 0.8 * hair),
            Part((side * 0.5, ear_y, -0.06), (0.07 * ear, 0.15 * ear, 0.09 * ear), 0.9 * skin),
        ]
    centre, half_axes, albedo = assemble(parts, width)
    stretch = torch.stack([width, torch.ones_like(width), torch.ones_like(width)], dim=1)[:, None]
    return Solids(centre * stretch, half_axes * stretch[:, None], albedo.clamp(0, 1))
