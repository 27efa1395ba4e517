import math

import pytest
import torch

from infogan.download.solids import (
    FAR,
    FINER,
    Light,
    Seen,
    Solids,
    blended_solids,
    nearest_solid,
    see_boxes,
    see_ellipsoids,
    to_pixels,
    upright,
    view,
)

SIZE = 40
FRONT = view(torch.zeros(1), torch.zeros(1))
HEAD_ON = Light(torch.tensor([[0.0, 0.0, 1.0]]), ambient=0.25)


def solid(radii, centre=(0.0, 0.0, 0.0), pitch=0.0, albedo=0.8):
    half_axes = upright(torch.tensor([[radii]]), torch.tensor([[pitch]]))
    return Solids(torch.tensor([[centre]]), half_axes, torch.tensor([[albedo]]))


def seen(see, solids, axes=FRONT, light=HEAD_ON):
    """The only solid of the only picture."""
    [(depth, shade)] = see(solids, axes, light, SIZE)
    assert depth.shape == shade.shape == (1, FINER * SIZE, FINER * SIZE)
    return Seen(depth[0], shade[0])


def area(one):
    """Area that a solid covers; the picture's is 4."""
    return 4 * (one.depth > FAR).float().mean().item()


def at(picture, x, y):
    """The value of the ray nearest to a point of the picture."""
    column, row = (int((place + 1) / 2 * FINER * SIZE) for place in (x, -y))
    return picture[row, column].item()


def angles(azimuth=0.0, elevation=0.0):
    return view(torch.tensor([azimuth]), torch.tensor([elevation]))


# What is covered.


@pytest.mark.parametrize("azimuth", [0.0, 0.4, 1.3, math.pi / 2])
def test_a_turned_solid_covers_its_projection(azimuth):
    # Half the width of the shadow of an ellipse with half axes a and c, seen at an angle.
    half = math.hypot(0.6 * math.cos(azimuth), 0.2 * math.sin(azimuth))
    turned = seen(see_ellipsoids, solid((0.6, 0.4, 0.2)), angles(azimuth))
    assert area(turned) == pytest.approx(math.pi * half * 0.4, rel=0.03)
    half = 0.5 * math.cos(azimuth) + 0.2 * math.sin(azimuth)
    turned = seen(see_boxes, solid((0.5, 0.3, 0.2)), angles(azimuth))
    assert area(turned) == pytest.approx(4 * half * 0.3, rel=0.03)


@pytest.mark.parametrize("see", [see_ellipsoids, see_boxes])
def test_a_pitched_solid_looks_like_an_upright_one_seen_from_as_far_below(see):
    # The light is along the view, so it does not tell which of the two was turned.
    pitched = seen(see, solid((0.5, 0.3, 0.2), pitch=0.35))
    below = seen(see, solid((0.5, 0.3, 0.2)), angles(elevation=-0.35))
    assert torch.allclose(pitched.depth, below.depth, atol=1e-4)
    assert torch.allclose(pitched.shade[pitched.depth > FAR], below.shade[below.depth > FAR])


@pytest.mark.parametrize("see", [see_ellipsoids, see_boxes])
def test_x_is_right_y_is_up_and_depth_is_that_of_the_near_side(see):
    depth = seen(see, solid((0.1, 0.1, 0.3), centre=(0.5, 0.3, 0.4))).depth
    assert at(depth, 0.5, 0.3) == pytest.approx(0.4 + 0.3, abs=0.01)
    for x, y in ((-0.5, 0.3), (0.5, -0.3), (-0.5, -0.3)):
        assert at(depth, x, y) == FAR


def test_at_a_positive_azimuth_the_front_points_to_the_right_and_from_above_it_lies_low():
    nose = solid((0.1, 0.1, 0.1), centre=(0.0, 0.0, 0.6))
    assert at(seen(see_ellipsoids, nose, angles(math.pi / 3)).depth, 0.52, 0) > FAR
    assert at(seen(see_ellipsoids, nose, angles(0.0, math.pi / 4)).depth, 0, -0.42) > FAR


# Light.


@pytest.mark.parametrize("place", [0.1, 0.4, 0.6])
def test_a_sphere_is_lit_by_lamberts_law(place):
    # On a sphere of radius 0.8, lit from the viewer, the cosine is the normal's z.
    cosine = math.sqrt(1 - (place / 0.8) ** 2)
    shade = at(seen(see_ellipsoids, solid((0.8, 0.8, 0.8))).shade, place, 0)
    assert shade == pytest.approx(0.8 * (0.25 + 0.75 * cosine), abs=0.02)


def test_an_ellipsoid_is_brightest_where_its_normal_meets_the_light():
    # The normal at (x, y, z) is along (x / a^2, y / b^2, z / c^2); light from the right and front.
    light = Light(torch.tensor([[0.6, 0.0, 0.8]]), ambient=0.0)
    shade = seen(see_ellipsoids, solid((0.8, 0.5, 0.3)), light=light).shade
    brightest = (shade[FINER * SIZE // 2].argmax().item() + 0.5) / (FINER * SIZE) * 2 - 1
    # The point with normal l is (a^2 l_x, c^2 l_z) / sqrt(a^2 l_x^2 + c^2 l_z^2).
    expected = 0.8**2 * 0.6 / math.hypot(0.8 * 0.6, 0.3 * 0.8)
    assert brightest == pytest.approx(expected, abs=0.03)


def test_the_faces_of_a_box_are_lit_by_lamberts_law():
    light = Light(torch.tensor([[0.6, 0.0, 0.8]]), ambient=0.25)
    # Turned by 45 degrees, it shows its front to the right and its side to the left.
    shade = seen(see_boxes, solid((0.5, 0.5, 0.5)), angles(math.pi / 4), light).shade
    right, left = (0.6 + 0.8) / math.sqrt(2), (0.8 - 0.6) / math.sqrt(2)
    assert at(shade, 0.3, 0) == pytest.approx(0.8 * (0.25 + 0.75 * right), abs=1e-3)
    assert at(shade, -0.3, 0) == pytest.approx(0.8 * (0.25 + 0.75 * left), abs=1e-3)


@pytest.mark.parametrize("see", [see_ellipsoids, see_boxes])
def test_what_faces_away_from_the_light_gets_the_ambient_share(see):
    behind = Light(torch.tensor([[0.0, 0.0, -1.0]]), ambient=0.25)
    shade = at(seen(see, solid((0.5, 0.4, 0.3)), light=behind).shade, 0.1, 0.1)
    assert shade == pytest.approx(0.8 * 0.25)


# Several solids.

DEPTHS = torch.tensor([[[[0.5, 0.1, FAR]]], [[[0.2, 0.3, FAR]]]])
SHADES = torch.tensor([[[[0.9, 0.9, 0.9]]], [[[0.4, 0.4, 0.4]]]])
TWO = [Seen(depth, shade) for depth, shade in zip(DEPTHS, SHADES, strict=True)]


@pytest.mark.parametrize("order", [TWO, TWO[::-1]])
def test_the_nearest_solid_hides_the_others_and_nothing_shows_the_background(order):
    expected = torch.tensor([[[0.9, 0.4, 0.1]]])
    assert torch.equal(nearest_solid(order, background=0.1), expected)
    assert torch.allclose(blended_solids(order, 0.1, softness=0.01), expected, atol=1e-6)


def test_solids_at_the_same_depth_blend_to_their_mean():
    same = [Seen(torch.full((1, 2, 3), 0.4), torch.full((1, 2, 3), shade)) for shade in (0.2, 0.8)]
    blended = blended_solids(same, background=0.0, softness=0.1)
    assert torch.allclose(blended, torch.full((1, 2, 3), 0.5))


def test_pixels_are_means_over_their_rays():
    picture = torch.zeros(1, 2 * FINER, 3 * FINER)
    picture[0, :FINER, :FINER] = 1
    picture[0, FINER, FINER] = 1
    assert to_pixels(picture).tolist() == [[[[255, 0, 0], [0, round(255 / FINER**2), 0]]]]
