"""Fine structure that a single leaf does not have: hair, foliage, writing, grids, twigs, grains.

Every function draws one object on a transparent square layer of side 2r pixels and returns it as
(colour (s, s, 3), alpha (s, s)), float32 in [0,1].
"""

import numpy as np
from PIL import Image, ImageDraw

from shapes import ellipse, path, pointed, polygon, turned

FINE = 3  # subpixels a pixel has in each direction while drawing


def ink(colour, light=1.0):
    """A colour in [0,1] times a lightness as the tuple that PIL wants, opaque."""
    return (*(int(v) for v in np.clip(np.asarray(colour) * light * 255, 0, 255)), 255)


def layer(r):
    """An empty layer of radius r and its pen; coordinates are subpixels."""
    side = max(4, int(2 * r)) * FINE
    image = Image.new('RGBA', (side, side))
    return image, ImageDraw.Draw(image), side


def finished(image, angle=0.0):
    """The layer turned by `angle` degrees and reduced to pixels, as (colour, alpha)."""
    if angle:
        image = image.rotate(angle, Image.BILINEAR)
    array = np.asarray(image.reduce(FINE), np.float32) / 255
    return array[..., :3], array[..., 3]


def strands(rng, palette, r):
    """Hair, grass, fur, threads: many curves along one flow, each with its own tone and sheen."""
    image, pen, side = layer(r)
    count = int(np.exp(rng.uniform(np.log(30), np.log(900))))
    base, angle, t = palette.colour(rng), rng.uniform(0, 2 * np.pi), np.linspace(0, 1, 28)
    length, bend = rng.uniform(0.5, 1.2) * side, rng.normal(0, 0.5)
    spread, unruly = rng.uniform(0.05, 0.3) * side, rng.choice([0.02, 0.06, 0.2])
    contrast, width = rng.uniform(0.05, 0.45), rng.uniform(0.6, 2.2) * FINE
    sheen, glossy = rng.random(), rng.uniform(0, 0.8)
    wave, waves = rng.choice([0, 0.02, 0.06]) * side, rng.uniform(0.5, 2.5)
    for _ in range(count):
        root = side / 2 + np.array([rng.normal(0, 0.08) - 0.5, 0]) * length
        root[1] += rng.normal(0, spread)
        turn = rng.normal(0, unruly) + (bend + rng.normal(0, unruly)) * t
        step = length * rng.uniform(0.5, 1) / len(t)
        points = root + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], 1), 0) * step
        points[:, 1] += wave * np.sin(waves * 6.3 * t + 0.5 * rng.normal())
        points = side / 2 + turned(points - side / 2, angle)
        tone = np.clip(1 + rng.normal(0, contrast), 0.1, 2.5)
        thin = max(1, int(width * rng.uniform(0.4, 1)))
        pen.line(path(points), ink(base, tone), thin)
        if glossy > 0.3 and rng.random() < 0.5:
            k = int(np.clip(sheen * 25 + rng.normal(0, 1.5), 1, 24))
            pen.line(path(points[k - 1 : k + 5]), ink(base, tone * (1 + glossy)), thin)
    return finished(image)


def foliage(rng, palette, r):
    """A bush or heap: leaves or stones of one kind, the deep ones dark, the upper ones lit."""
    image, pen, side = layer(r)
    count = int(np.exp(rng.uniform(np.log(20), np.log(500))))
    kind = (pointed, pointed, ellipse, polygon)[rng.integers(4)]
    radius = side * rng.uniform(0.6, 1.6) / np.sqrt(count) / 2
    base, second = palette.colour(rng), palette.colour(rng)
    contrast, flow, loose = rng.uniform(0.1, 0.5), rng.uniform(0, 6.3), rng.choice([0.4, 1, 6])
    shape, light = kind(rng), rng.uniform(0, 6.3)
    for k in range(count):
        centre = side / 2 + rng.normal(0, 0.2, 2) * side
        points = centre + turned(
            shape * radius * rng.uniform(0.5, 1.3), flow + rng.normal(0, loose)
        )
        depth = 0.5 + 0.7 * k / count
        colour = base + (second - base) * (rng.random() < 0.15)
        tone = depth * (1 + contrast * rng.normal())
        pen.polygon(path(points), ink(colour, tone))
        if radius > 4 * FINE:  # one side lit, or a midrib
            half = centre + (points - centre) * rng.uniform(0.3, 0.8)
            half += radius * 0.15 * np.array([np.cos(light), np.sin(light)])
            pen.polygon(path(half), ink(colour, tone * (1 + 0.5 * contrast)))
    return finished(image)


def writing(rng, palette, r):
    """Rows of made-up glyphs: a few strokes and bows each, on a plate or on nothing."""
    image, pen, side = layer(r)
    dark, pale = palette.colour(rng, rng.uniform(0, 0.4)), palette.colour(rng, rng.uniform(0.6, 1))
    front, back = (dark, pale) if rng.random() < 0.65 else (pale, dark)
    inset = side * 0.14
    if rng.random() < 0.7:
        pen.rectangle([inset, inset, side - inset, side - inset], fill=ink(back))
    height = np.exp(rng.uniform(np.log(5), np.log(max(8, r / 2)))) * FINE
    width, weight = height * rng.uniform(0.4, 0.9), max(1, int(height * rng.uniform(0.06, 0.25)))
    alphabet = [rng.uniform(0, 1, (rng.integers(2, 4), 2, 2)).round(1) for _ in range(9)]
    bows = rng.random(9) < 0.5
    for top in np.arange(inset * 1.2, side - inset * 1.2 - height, height * rng.uniform(1.3, 2)):
        for left in np.arange(inset * 1.2, side - inset * 1.2 - width, width * 1.25):
            k = rng.integers(11)
            if k >= 9:
                continue
            for a, b in alphabet[k] * [width, height] + [left, top]:
                pen.line([*a, *b], ink(front), weight)
            if bows[k]:
                start = int(40 * k)
                box = [left, top + height * 0.1 * (k % 3), left + width, top + height]
                pen.arc(box, start, start + 200, ink(front), weight)
    return finished(image, rng.choice([0, 0, rng.normal(0, 15), rng.uniform(0, 360)]))


def grid(rng, palette, r):
    """Bricks, tiles, windows, planks, fences, keyboards: rectangles in rows, seen at an angle."""
    image, pen, side = layer(r)
    back, front = palette.colour(rng), palette.colour(rng)
    if rng.random() < 0.75:
        pen.rectangle([side * 0.14, side * 0.14, side * 0.86, side * 0.86], fill=ink(back))
    rows = int(np.exp(rng.uniform(np.log(2), np.log(20))))
    columns = int(np.exp(rng.uniform(np.log(1), np.log(20))))
    height, width = 0.7 * side / rows, 0.7 * side / columns
    gap, shift = rng.uniform(0.03, 0.4) * min(height, width), rng.choice([0, 0, 0.5])
    contrast, checks = rng.choice([0.02, 0.1, 0.3]), rng.random() < 0.15
    for j in range(rows):
        for k in range(columns):
            left = side * 0.15 + (k + shift * (j % 2)) * width
            top = side * 0.15 + j * height
            colour = back if checks and (j + k) % 2 else front
            box = [left, top, min(left + width - gap, side * 0.86), top + height - gap]
            if box[2] > box[0] and box[3] > box[1]:
                pen.rectangle(box, fill=ink(colour, max(0, 1 + contrast * rng.normal())))
    if rng.random() < 0.5:
        corners = (
            np.array([[0, 0], [0, 1], [1, 1], [1, 0]]) * side + rng.normal(0, 0.12, (4, 2)) * side
        )
        image = image.transform(image.size, Image.QUAD, corners.ravel().tolist(), Image.BILINEAR)
    return finished(image, rng.choice([0, rng.normal(0, 10), rng.uniform(0, 360)]))


def twigs(rng, palette, r):
    """A branching plant, a crack, a net of wires: lines that fork and thin out."""
    image, pen, side = layer(r)
    colour, fork = palette.colour(rng), rng.uniform(0.2, 0.9)
    start = (side / 2, side * rng.uniform(0.5, 0.95), rng.normal(-np.pi / 2, 0.4))
    stack = [(*start, side * rng.uniform(0.15, 0.35), rng.uniform(1, 6) * FINE)]
    shrink, drawn = rng.uniform(0.6, 0.88), 0
    while stack and drawn < 400:
        x, y, angle, length, width = stack.pop(0)
        turn = angle + np.cumsum(rng.normal(0, 0.15, 5))
        points = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], 1) * length / 5, 0) + [x, y]
        tone = np.clip(1 + rng.normal(0, 0.15), 0.3, 2)
        pen.line([(x, y), *path(points)], ink(colour, tone), max(1, int(width)))
        drawn += 1
        if length > 3 * FINE:
            for side_turn in (-fork, fork) if rng.random() < 0.85 else (0,):
                bend = turn[-1] + side_turn * rng.uniform(0.3, 1.2)
                stack.append((*points[-1], bend, length * shrink, width * rng.uniform(0.6, 0.9)))
    return finished(image, rng.choice([0, rng.uniform(0, 360)]))


def wires(rng, palette, r):
    """A few long smooth lines: wires, seams, contours, creases, scratches."""
    image, pen, side = layer(r)
    t = np.linspace(0, 1, 40)[:, None]
    for _ in range(rng.integers(1, 9)):
        p = rng.uniform(-0.1, 1.1, (4, 2)) * side
        points = (
            (1 - t) ** 3 * p[0]
            + 3 * t * (1 - t) ** 2 * p[1]
            + 3 * t**2 * (1 - t) * p[2]
            + t**3 * p[3]
        )
        if rng.random() < 0.3:
            points = p[0] + (p[3] - p[0]) * t
        width = max(1, int(np.exp(rng.uniform(np.log(0.5), np.log(5))) * FINE))
        colour = palette.colour(rng)
        pen.line(path(points), ink(colour), width, joint='curve')
        if width > 2 * FINE and rng.random() < 0.5:
            pen.line(path(points - [0, width / 4]), ink(colour, 1.4), max(1, width // 4))
    return finished(image)


def grains(rng, palette, r):
    """Gravel, beads, freckles, lights, droplets: many small discs, some with a highlight."""
    image, pen, side = layer(r)
    count = int(np.exp(rng.uniform(np.log(10), np.log(600))))
    largest = side * rng.uniform(0.2, 1) / np.sqrt(count) / 2
    colours = [palette.colour(rng) for _ in range(rng.integers(1, 4))]
    contrast, shiny = rng.uniform(0.05, 0.4), rng.random() < 0.4
    for _ in range(count):
        x, y = side / 2 + rng.normal(0, 0.19, 2) * side
        a = largest * (0.3 + 0.7 * rng.random() ** 2)
        b, tone = a * rng.uniform(0.6, 1), max(0, 1 + contrast * rng.normal())
        colour = colours[rng.integers(len(colours))]
        pen.ellipse([x - a, y - b, x + a, y + b], ink(colour, tone))
        if shiny:
            pen.ellipse(
                [x - a * 0.6, y - b * 0.7, x + a * 0.4, y + b * 0.2], ink(colour, tone * 1.25)
            )
            pen.ellipse(
                [x - a * 0.4, y - b * 0.5, x - a * 0.1, y - b * 0.2], ink(colour, tone * 1.8)
            )
    return finished(image)


# Each kind with its Dirichlet weight: how much of a scene's clutter it tends to be.
CLUTTER = {
    strands: 0.9,
    foliage: 0.9,
    writing: 0.3,
    grid: 0.4,
    twigs: 0.4,
    wires: 0.4,
    grains: 0.3,
}
