"""The objects of a scene: flat leaves, rounded solids, pelts, heads and clutter, painted with shadows.

An object function takes (rng, scene, canvas, x, y, r) and paints in place on the canvas, a float32
picture (size, size, 3) in [0,1]; `scene` holds what all objects of one picture share.
"""

import numpy as np

from clutter import CLUTTER
from coats import ragged
from heads import head
from relief import blurred, folded, inflated, lit, weathered
from shapes import blob, covered, crescent, ellipse, outline, pointed, superellipse, turned


def mask_of(points):
    """Coverage of a closed polygon (n, 2) in pixels, with the (top, left) of its box."""
    left, top = np.floor(points.min(0)).astype(int) - 1
    width, height = np.ceil(points.max(0)).astype(int) + 2 - [left, top]
    fine = 4 if max(width, height) < 100 else 2
    return covered(points - [left, top], int(height), int(width), fine), int(top), int(left)


def within(canvas, top, left, height, width):
    """The slices of the canvas and of a box of the given place and size that overlap, or None."""
    size = canvas.shape[0]
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + height, size), min(left + width, size)
    if y0 >= y1 or x0 >= x1:
        return None
    return (slice(y0, y1), slice(x0, x1)), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def paint(canvas, colour, alpha, top, left):
    """Lays colour (h, w, 3) with coverage alpha (h, w) over the canvas, in place."""
    place = within(canvas, top, left, *alpha.shape)
    if place:
        there, here = place
        canvas[there] += alpha[here][..., None] * (colour[here] - canvas[there])


def shadow(canvas, rng, alpha, top, left, r, light):
    """Darkens what lies below an object, away from the light and softly, in place."""
    soft, away = r * rng.uniform(0.02, 0.35) + 0.3, r * rng.uniform(0.02, 0.3)
    margin = int(2 * soft) + 1
    dark = blurred(np.pad(alpha, margin), soft)
    shift = np.round(away * np.array([np.sin(light), np.cos(light)])).astype(int)
    y, x = top - margin - shift[0], left - margin - shift[1]
    place = within(canvas, y, x, *dark.shape)
    if place:
        there, here = place
        canvas[there] *= 1 - rng.uniform(0.15, 0.65) * dark[here][..., None]


def local_colour(rng, scene, canvas, x, y, r):
    """A colour for an object at a place: small ones resemble what they lie on."""
    colour = scene['palette'].colour(rng)
    i, j = np.clip([int(y), int(x)], 0, canvas.shape[0] - 1)
    return colour + scene['alike'] * rng.random() * (r < 100) * (canvas[i, j] - colour)


def surface(rng, scene, height, width, base):
    """The look of one surface, (height, width, 3): colour, gradient, uneven light, texture."""
    palette, bank = scene['palette'], scene['bank']
    tone = np.ones((height, width), np.float32)
    if rng.random() < 0.6:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        angle = scene['light'] + rng.normal(0, 0.5)
        tone += rng.normal(0, 0.2) * (x * np.cos(angle) + y * np.sin(angle))
    if rng.random() < 0.5:
        tone += rng.exponential(0.1) * bank.shading(rng, height, width)
    if rng.random() < 0.9:
        tone += rng.exponential(scene['grit']) * bank.patch(rng, bank.rough, height, width)
    out = tone[..., None] * base
    for _ in range(rng.choice(3, p=scene['layers'])):
        strength = rng.exponential(scene['roughness'])
        field = bank.texture(rng, height, width)
        if rng.random() < 0.5:  # patchy: only where a smooth field lets it through
            field = field * (bank.shading(rng, height, width) > rng.normal(0, 0.7))
        other = palette.colour(rng) if rng.random() < 0.25 else base * 1.0
        out *= 1 + strength * field[..., None]
        out += np.clip(strength * 2 * field, 0, 1)[..., None] * (other - base)
    return out


def leaf(rng, scene, canvas, x, y, r):
    """One flat object: an outline filled with a surface."""
    points = outline(rng, scene['outlines']) * r + [x, y]
    alpha, top, left = mask_of(points)
    if within(canvas, top, left, *alpha.shape) is None:
        return
    if r > 8 and rng.random() < scene['shadows']:
        shadow(canvas, rng, alpha, top, left, r, scene['light'])
    if r < 2.5:
        colour = np.broadcast_to(local_colour(rng, scene, canvas, x, y, r), (*alpha.shape, 3))
    else:
        colour = surface(rng, scene, *alpha.shape, local_colour(rng, scene, canvas, x, y, r))
    paint(canvas, colour, alpha, top, left)


def solid(rng, scene, canvas, x, y, r):
    """One rounded object: a surface inflated from its outline and lit, like skin or fruit."""
    points = turned(
        (blob, ellipse, superellipse)[rng.integers(3)](rng), rng.uniform(0, 6.3)
    ) * r + [x, y]
    alpha, top, left = mask_of(points)
    if within(canvas, top, left, *alpha.shape) is None:
        return
    if rng.random() < scene['shadows']:
        shadow(canvas, rng, alpha, top, left, r, scene['light'])
    height = inflated(alpha, r, rng.uniform(0.12, 0.4)) * rng.uniform(0.5, 1.5)
    if rng.random() < 0.6:
        height += r * rng.uniform(0.02, 0.12) * scene['bank'].shading(rng, *alpha.shape)
    if rng.random() < 0.35:
        height += folded(rng, scene['bank'], *alpha.shape, r)
    if r > 10 and rng.random() < 0.7:
        weathered(rng, height, r)
    tone, glance = lit(rng, height, scene['light'])
    calm = scene | {'roughness': scene['roughness'] * 0.3}
    base = local_colour(rng, scene, canvas, x, y, r)
    colour = surface(rng, calm, *alpha.shape, base) * tone[..., None]
    if rng.random() < 0.3:  # a glossy highlight
        colour += rng.uniform(0.1, 0.6) * glance[..., None] ** rng.uniform(8, 60)
    paint(canvas, colour, alpha, top, left)


def pelt(rng, scene, canvas, x, y, r):
    """One hairy object: a coat over a rounded body, its border drawn out into strands."""
    points = turned((blob, ellipse, pointed, crescent)[rng.integers(4)](rng), rng.uniform(0, 6.3))
    alpha, top, left = mask_of(points * r + [x, y])
    margin = int(0.3 * r) + 2
    alpha, top, left = np.pad(alpha, margin), top - margin, left - margin
    if within(canvas, top, left, *alpha.shape) is None:
        return
    strands, direction = scene['bank'].hair(rng, *alpha.shape)
    height = inflated(alpha, r, rng.uniform(0.15, 0.4)) * rng.uniform(0.3, 1.2)
    tone, glance = lit(rng, height + r * rng.uniform(0, 0.03) * strands, scene['light'])
    base = local_colour(rng, scene, canvas, x, y, r)
    colour = base * tone[..., None] * (1 + rng.uniform(0.04, 0.32) * strands[..., None])
    if rng.random() < 0.5:  # patches and stripes of another colour
        spots = np.clip((scene['bank'].shading(rng, *alpha.shape) - rng.normal(0.3, 0.5)) * 3, 0, 1)
        other = local_colour(rng, scene, canvas, x, y, r)
        colour += (rng.random() * spots)[..., None] * (other * tone[..., None] - colour)
    if rng.random() < 0.4:  # the sheen of hair
        shine = rng.uniform(0.1, 0.5) * glance ** rng.uniform(4, 20)
        colour += (shine * np.clip(1 + 0.6 * strands, 0, 2))[..., None]
    alpha = ragged(alpha, strands, direction, r * rng.uniform(0, 0.35))
    if rng.random() < scene['shadows']:
        shadow(canvas, rng, alpha, top, left, r, scene['light'])
    paint(canvas, colour, alpha, top, left)


def portrait(rng, scene, canvas, x, y, r):
    """One head, with its shadow."""
    colour, alpha, top, left = head(rng, scene, x, y, r)
    if within(canvas, top, left, *alpha.shape) is None:
        return
    if rng.random() < scene['shadows']:
        shadow(canvas, rng, alpha, top, left, r, scene['light'])
    paint(canvas, colour, alpha, top, left)


def drawing(rng, scene, canvas, x, y, r):
    """One piece of clutter, shaded and textured as a whole."""
    colour, alpha = list(CLUTTER)[rng.choice(len(CLUTTER), p=scene['clutter'])](
        rng, scene['palette'], r
    )
    side = alpha.shape[0]
    top, left = int(y - side / 2), int(x - side / 2)
    if rng.random() < 0.5 * scene['shadows']:
        shadow(canvas, rng, alpha, top, left, r * 0.2, scene['light'])
    tone = 1 + rng.exponential(0.15) * scene['bank'].shading(rng, side, side)
    if rng.random() < 0.5:
        tone = tone * (
            1 + rng.exponential(0.5 * scene['roughness']) * scene['bank'].texture(rng, side, side)
        )
    paint(canvas, colour * np.clip(tone, 0.2, 2)[..., None], alpha, top, left)
