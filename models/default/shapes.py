"""Outlines of leaves: closed polygons around the origin with radius about 1."""

import numpy as np
from PIL import Image, ImageDraw


def turned(points, angle):
    """The points (n, 2) rotated by an angle in radians."""
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def path(points):
    """The points (n, 2) as Pillow takes them."""
    return [tuple(p) for p in points.tolist()]


def covered(points, height, width, fine):
    """Coverage (height, width) in [0,1] of a closed polygon (n, 2), drawn with `fine` subpixels a pixel."""
    image = Image.new('L', (width * fine, height * fine))
    ImageDraw.Draw(image).polygon(path(points * fine), fill=255)
    return np.asarray(image.reduce(fine), np.float32) / 255


def ellipse(rng):
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([np.cos(t), rng.uniform(0.35, 1) * np.sin(t)], 1)


def polygon(rng):
    t = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
    return np.stack([np.cos(t), np.sin(t)], 1)


def rectangle(rng):
    half = np.exp(rng.uniform(np.log(0.04), 0))
    return np.array([[-1, -half], [1, -half], [1, half], [-1, half]]) * 0.9


def blob(rng):
    """A closed Fourier curve: rounded, with bays."""
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    order = np.arange(2, 9)
    amount = rng.normal(0, 0.35, len(order)) / order**1.2
    radius = np.clip(
        1 + np.cos(order * t[:, None] + rng.uniform(0, 6.3, len(order))) @ amount, 0.2, 2
    )
    return np.stack([radius * np.cos(t), radius * rng.uniform(0.5, 1) * np.sin(t)], 1)


def superellipse(rng):
    """A rounded box."""
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    power = rng.uniform(0.2, 0.9)
    c, s = np.cos(t), np.sin(t)
    wide = np.sign(c) * np.abs(c) ** power
    return np.stack([wide, rng.uniform(0.3, 1) * np.sign(s) * np.abs(s) ** power], 1)


def pointed(rng, slim=None):
    """A plant's leaf: two arcs that meet in points."""
    t = np.linspace(0, np.pi, 12)
    half = (rng.uniform(0.15, 0.5) if slim is None else slim) * np.sin(t) ** 0.8
    x = -np.cos(t)
    bend = rng.uniform(-0.4, 0.4) * (1 - x**2)
    upper, lower = np.stack([x, bend + half], 1), np.stack([x, bend - half], 1)
    return np.concatenate([upper, lower[-2:0:-1]])


def crescent(rng):
    """A bent band."""
    t = np.linspace(0, rng.uniform(0.8, 4.5), 32)
    thin = rng.uniform(0.05, 0.4)
    outer = np.stack([np.cos(t), np.sin(t)], 1)
    return np.concatenate(
        [outer, (1 - thin * np.sin(np.linspace(0, np.pi, 32))[::-1, None]) * outer[::-1]]
    )


OUTLINES = [ellipse, ellipse, polygon, rectangle, blob, superellipse, pointed, crescent]


def outline(rng, kinds=OUTLINES):
    """A random outline at a random angle, shape (n, 2)."""
    return turned(kinds[rng.integers(len(kinds))](rng), rng.uniform(0, 2 * np.pi))
