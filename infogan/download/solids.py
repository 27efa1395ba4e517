"""A small renderer of grey pictures: ellipsoids and boxes seen in parallel projection.

The object's frame has x to the viewer's right when it faces the viewer, y up and z to its front;
the view's frame has x to the right, y up and z towards the viewer. The picture spans [-1, 1] both
ways. Rays meet both kinds of solid in closed form, so that nothing is marched along them; pictures
are drawn finer than they are kept, which smooths their edges. Solids are drawn one after the other
for a batch of images, so that what is worked on stays in the processor's cache.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float32, UInt8
from torch import Tensor

from infogan.base.dataset import Factor
from infogan.base.factors import sample_factors
from infogan.base.images import FactorImages

FINER = 2  # rays per pixel, each way
FAR = -10.0  # depth where a ray misses: behind everything
GRAZING = 1e-4  # a face seen more edge-on than this is treated as seen at this slope
BATCH_SIZE = 8  # images at once: their pictures stay in the processor's cache

Value = float | Float32[Tensor, " image"]  # the same in all images, or each one's


class Part(NamedTuple):
    """One solid in each image, its half axes along x, y and z but for its pitch."""

    centre: tuple[Value, Value, Value]
    radii: tuple[Value, Value, Value]
    albedo: Value
    pitch: Value = 0.0


class Solids(NamedTuple):
    """Ellipsoids or boxes: `half_axes` holds each one's three half axes as rows, at right angles.

    `albedo` is the share of light that the surface sends back, in [0, 1].
    """

    centre: Float32[Tensor, "image solid 3"]
    half_axes: Float32[Tensor, "image solid 3 3"]
    albedo: Float32[Tensor, "image solid"]


class Seen(NamedTuple):
    """One solid in each picture: its depth towards the viewer, and the light that it sends."""

    depth: Float32[Tensor, "image height width"]
    shade: Float32[Tensor, "image height width"]


class Light(NamedTuple):
    """A distant light, as unit vectors in the view's frame, and the share that is everywhere."""

    direction: Float32[Tensor, "image 3"]
    ambient: float


def draw(
    factors: Sequence[Factor],
    traits: Sequence[str],
    render: Callable[[Tensor, Tensor], Tensor],
    num: int,
    rng: torch.Generator,
) -> FactorImages:
    """Images with independent factors, each uniform, and with traits.

    The same generator state gives the same bytes on the same kind of machine.
    """
    values, given = sample_factors(factors, num, rng), sample_traits(traits, num, rng)
    batches = zip(values.split(BATCH_SIZE), given.split(BATCH_SIZE), strict=True)
    return FactorImages(torch.cat([render(*batch) for batch in batches]), values)


def sample_traits(
    traits: Sequence[str], num: int, rng: torch.Generator
) -> Float32[Tensor, "num trait"]:
    """Independent draws of what makes one object differ from another, each U(-1, 1)."""
    return 2 * torch.rand(num, len(traits), generator=rng) - 1


def assemble(parts: Iterable[Part], like: Float32[Tensor, " image"]) -> Solids:
    """The parts of as many images as `like` has."""
    rows = [(*part.centre, *part.radii, part.pitch, part.albedo) for part in parts]
    columns = [torch.stack([torch.zeros_like(like) + value for value in row], 1) for row in rows]
    table = torch.stack(columns, dim=1)
    return Solids(table[..., :3], upright(table[..., 3:6], table[..., 6]), table[..., 7])


def upright(
    radii: Float32[Tensor, "image solid 3"], pitch: Float32[Tensor, "image solid"]
) -> Float32[Tensor, "image solid 3 3"]:
    """Half axes of solids along x, y and z, then pitched: the top moves back by angle `pitch`."""
    zero, one = torch.zeros_like(pitch), torch.ones_like(pitch)
    cos, sin = pitch.cos(), pitch.sin()
    rows = [one, zero, zero], [zero, cos, -sin], [zero, sin, cos]
    turned = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    return radii[..., None] * turned


def view(
    azimuth: Float32[Tensor, " image"], elevation: Float32[Tensor, " image"]
) -> Float32[Tensor, "image 3 3"]:
    """The view's axes right, up and towards the viewer, as rows in the object's frame.

    At a positive azimuth the object's front points to the picture's right; at a positive elevation
    it is seen from above. Both in radians.
    """
    zero = torch.zeros_like(azimuth)
    right = torch.stack([azimuth.cos(), zero, azimuth.sin()], dim=-1)
    level = torch.stack([-azimuth.sin(), zero, azimuth.cos()], dim=-1)
    vertical = torch.stack([zero, zero + 1, zero], dim=-1)
    cos, sin = elevation.cos()[:, None], elevation.sin()[:, None]
    return torch.stack([right, cos * vertical - sin * level, cos * level + sin * vertical], dim=1)


def see_ellipsoids(
    solids: Solids, axes: Float32[Tensor, "image 3 3"], light: Light, size: int
) -> Iterator[Seen]:
    """Each ellipsoid in turn, at FINER times `size` rays each way.

    With p from the centre, the surface is p' A p = 1 and its normal is A p. Along a ray
    p_z = (root - b) / A_zz, where b = A_xz p_x + A_yz p_y, and the normal's z is that root.
    """
    towards = light.direction[:, :, None, None].unbind(1)
    for across, up, depth, inward, albedo in _placed(solids, axes, size):
        shape = torch.einsum("nax,nay->nxy", inward, inward)[..., None, None]
        (xx, xy, xz), (_, yy, yz), (_, _, zz) = (row.unbind(1) for row in shape.unbind(1))
        b = xz * across + yz * up
        rest = (1 - xx * across.square()) - (2 * xy * across + yy * up) * up
        discriminant = b.square() + zz * rest
        root = discriminant.clamp_min(0).sqrt()
        ahead = (root - b) / zz
        normal = (
            (xx * across + xy * up).addcmul(xz, ahead),
            (xy * across + yy * up).addcmul(yz, ahead),
            root,
        )
        squared = normal[0].square() + normal[1].square() + normal[2].square()
        facing = normal[0] * towards[0] + normal[1] * towards[1] + normal[2] * towards[2]
        cosine = facing * squared.clamp_min(1e-12).rsqrt()
        seen_depth = torch.where(discriminant > 0, ahead + depth, FAR)
        yield Seen(seen_depth, _lambert(cosine, albedo, light.ambient))


def see_boxes(
    solids: Solids, axes: Float32[Tensor, "image 3 3"], light: Light, size: int
) -> Iterator[Seen]:
    """Each box in turn, at FINER times `size` rays each way.

    A ray passes each of the three pairs of parallel faces; it is inside the box from the last face
    at which it comes in to the first at which it goes out, which is the one that the viewer sees.
    """
    for across, up, depth, inward, albedo in _placed(solids, axes, size):
        slope = inward[..., 2]
        slope = torch.where(slope < 0, -1.0, 1.0) * slope.abs().clamp_min(GRAZING)
        tilt = (-inward / slope[..., None])[..., None, None]
        reach = (1 / slope.abs())[..., None, None]
        out = [
            tilt[:, i, 0] * across + (tilt[:, i, 1] * up + (reach[:, i] + depth)) for i in range(3)
        ]
        come = [out[i] - 2 * reach[:, i] for i in range(3)]
        leaves = torch.minimum(torch.minimum(out[0], out[1]), out[2])
        enters = torch.maximum(torch.maximum(come[0], come[1]), come[2])

        normals = F.normalize(inward, dim=-1) * slope.sign()[..., None]
        cosines = torch.einsum("nax,nx->na", normals, light.direction)
        faces = _lambert(cosines, albedo[..., 0], light.ambient)[..., None, None].unbind(1)
        shade = torch.where(leaves == out[1], faces[1], faces[2])
        shade = torch.where(leaves == out[0], faces[0], shade)
        yield Seen(torch.where(leaves > enters, leaves, FAR), shade)


def nearest_solid(
    solids: Iterable[Seen], background: float
) -> Float32[Tensor, "image height width"]:
    """The shade of the solid nearest to the viewer."""
    nearest, picture = torch.tensor(FAR), torch.tensor(background)
    for depth, shade in solids:
        picture = torch.where(depth > nearest, shade, picture)
        nearest = torch.maximum(depth, nearest)
    return picture


def blended_solids(
    solids: Iterable[Seen], background: float, softness: float
) -> Float32[Tensor, "image height width"]:
    """Solids that flow into each other: shades weighted by exp(depth / softness)."""
    total, mixed = torch.tensor(0.0), torch.tensor(0.0)
    for depth, shade in solids:
        weight = (depth / softness).exp()
        total = total + weight
        mixed = mixed + weight * shade
    return torch.where(total > 0, mixed / total, background)


def to_pixels(
    picture: Float32[Tensor, "image fine_height fine_width"],
) -> UInt8[Tensor, "image 1 height width"]:
    """Means over the rays of each pixel, from [0, 1] to 0..255."""
    pixels = F.avg_pool2d(picture[:, None], FINER)
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8)


def _placed(solids: Solids, axes: Tensor, size: int) -> Iterator[tuple[Tensor, ...]]:
    """For each solid: rays from its centre, across and up; its depth; the view to its unit; albedo.

    The axes are those of `view`; all but the map have the picture's two axes last.
    """
    fine = size * FINER
    line = (torch.arange(fine) + 0.5) * (2 / fine) - 1
    centres = torch.einsum("nax,nix->nia", axes, solids.centre)[..., None, None]
    inward = solids.half_axes / solids.half_axes.square().sum(dim=-1, keepdim=True)
    inward = torch.einsum("niax,nvx->niav", inward, axes)
    for i in range(solids.albedo.shape[1]):
        x, y, z = centres[:, i].unbind(1)
        yield line - x, -line[:, None] - y, z, inward[:, i], solids.albedo[:, i, None, None]


def _lambert(cosine: Tensor, albedo: Tensor, ambient: float) -> Tensor:
    """Lambert's law: albedo (ambient + (1 - ambient) max(0, cosine))."""
    return cosine.clamp_min(0).mul(1 - ambient).add(ambient) * albedo
