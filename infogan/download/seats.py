"""Stand-in for the paper's Chairs: seats of boxes, 64x64 grey, two known factors.

These are not the paper's images, which are renders of modelled chairs. They let the paper's claim
be measured: a code that finds rotation, or width, among seats whose legs, back, arms and
proportions differ from image to image.
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from infogan.download.solids import (
    Light,
    Part,
    Solids,
    assemble,
    nearest_solid,
    see_boxes,
    to_pixels,
    view,
)

SIZE = 64
# What makes a style, each U(-1, 1); `_solids` says what it does.
STYLE = (
    *("elevation", "seat_depth", "seat_height", "seat_thickness", "seat_grey", "frame_grey"),
    *("back_kind", "back_height", "back_pitch", "back_bars"),
    *("leg_kind", "leg_thickness", "leg_inset", "arm_kind", "arm_height"),
)
MOST_BARS = 5
FLOOR = -0.7  # height of the feet
LIGHT = (-0.45, 0.72, 0.528)  # in the view's frame: from above, left, and the viewer's side
AMBIENT, BACKGROUND = 0.25, 1.0


def render_seats(
    factors: Float32[Tensor, "image factor"], styles: Float32[Tensor, "image style"]
) -> UInt8[Tensor, "image 1 height width"]:
    """The pictures of seats, with the factors of `infogan.datasets.seats`, on white.

    They are seen from 20 to 30 degrees above.
    """
    azimuth, width = factors.unbind(1)
    elevation = math.radians(25) + math.radians(5) * styles[:, STYLE.index("elevation")]
    solids = _solids(width, styles)
    light = Light(torch.tensor(LIGHT).expand(len(factors), 3), AMBIENT)
    seen = see_boxes(solids, view(azimuth, elevation), light, SIZE)
    return to_pixels(nearest_solid(seen, BACKGROUND))


def _solids(width: Float32[Tensor, " image"], styles: Float32[Tensor, "image style"]) -> Solids:
    """The boxes of seats: seat, legs, back, arms."""
    t = dict(zip(STYLE, styles.unbind(1), strict=True))
    half, depth = 0.38 * width, 0.38 + 0.06 * t["seat_depth"]
    seat_y, thick = -0.18 + 0.07 * t["seat_height"], 0.05 + 0.03 * t["seat_thickness"]
    cloth, frame = 0.62 + 0.3 * t["seat_grey"], 0.5 + 0.3 * t["frame_grey"]
    seat = Part((0, seat_y, 0), (half, thick, depth), cloth)
    legs = _legs(t, half, depth, seat_y - thick, frame)
    back = _back(t, half, depth, seat_y + thick, cloth, frame)
    arms = _arms(t, half, depth, seat_y + thick, frame)
    centre, half_axes, albedo = assemble([seat, *legs, *back, *arms], width)
    # Where a part is left out, a speck inside the seat takes its place.
    absent = (half_axes == 0).all(dim=-1).any(dim=-1)[..., None]
    half_axes = torch.where(absent[..., None], 1e-3 * torch.eye(3), half_axes)
    return Solids(torch.where(absent, centre[:, :1], centre), half_axes, albedo)


def _legs(
    t: dict[str, Tensor], half: Tensor, depth: Tensor, top: Tensor, frame: Tensor
) -> Iterator[Part]:
    """Four legs, or two runners on which they stand, or a column on a cross."""
    column, runners = t["leg_kind"] > 0.4, t["leg_kind"] > -0.2
    thickness = 0.04 + 0.015 * t["leg_thickness"]
    length = (top - FLOOR) / 2
    inset = thickness + 0.05 * (1 + t["leg_inset"])
    for side in (-1, 1):
        for end in (-1, 1):
            centre = side * (half - inset), top - length, end * (depth - inset)
            yield Part(centre, (thickness, length, _unless(column, thickness)), frame)
        # A runner under two legs, or one bar of the cross.
        across = torch.where(column, 0.75 * half, thickness) if side > 0 else thickness
        along = torch.where(column, thickness, depth) if side > 0 else depth
        x = torch.where(column, 0.0, side * (half - inset))
        radii = across, thickness, _unless(~(runners | column), along)
        yield Part((x, FLOOR, 0), radii, frame)
    yield Part((0, top - length, 0), (0.07, length, _unless(~column, 0.07)), frame)


def _back(
    t: dict[str, Tensor], half: Tensor, depth: Tensor, bottom: Tensor, cloth: Tensor, frame: Tensor
) -> Iterator[Part]:
    """A pitched panel, or a frame with upright bars, or one with rungs."""
    kind, tall = t["back_kind"], 0.31 + 0.06 * t["back_height"]
    pitch = 0.12 + 0.1 * t["back_pitch"]
    num_bars = (1.5 + MOST_BARS + (MOST_BARS - 1.5) * t["back_bars"]).div(2).round()
    panel, rungs = kind < -0.33, kind > 0.33

    def part(x: Tensor | float, y: Tensor, radii: tuple, albedo: Tensor) -> Part:
        """One at a height `y` above the seat, on the slope of the back."""
        z = 0.04 - depth - (y * pitch.sin())
        return Part((x, bottom + y * pitch.cos(), z), radii, albedo, pitch)

    for side in (-1, 1):
        yield part(side * (half - 0.035), tall, (0.035, tall, _unless(panel, 0.035)), frame)
    # The rail at the top, or the panel.
    rail = torch.where(panel, tall, 0.05)
    yield part(0.0, 2 * tall - rail, (half, rail, 0.035), torch.where(panel, cloth, frame))
    for bar in range(MOST_BARS):
        place = (bar + 1) / (num_bars + 1)
        x = torch.where(rungs, 0.0, (2 * place - 1) * half)
        y = torch.where(rungs, 2 * tall * place, tall)
        across, along = torch.where(rungs, half, 0.025), torch.where(rungs, 0.035, tall)
        yield part(x, y, (across, along, _unless(panel | (bar >= num_bars), 0.02)), frame)


def _arms(
    t: dict[str, Tensor], half: Tensor, depth: Tensor, bottom: Tensor, frame: Tensor
) -> Iterator[Part]:
    """No arms, or rests on posts, or closed sides."""
    rests, closed = t["arm_kind"] > 0, t["arm_kind"] > 0.6
    tall = 0.13 + 0.03 * t["arm_height"]
    for side in (-1, 1):
        x = side * (half + 0.01)
        yield Part((x, bottom + 2 * tall, 0), (0.045, 0.03, _unless(~rests, depth)), frame)
        z, along = torch.where(closed, 0.0, 0.7 * depth), torch.where(closed, depth, 0.03)
        yield Part((x, bottom + tall, z), (0.035, tall, _unless(~rests, along)), frame)


def _unless(absent: Tensor, radius: Tensor | float) -> Tensor:
    """A half axis, 0 where the part is left out."""
    return torch.where(absent, 0.0, radius)
