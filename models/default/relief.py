"""Relief: the height of a rounded surface with bumps, creases and folds, and how it looks when lit."""

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, zoom

from shapes import path


def blurred(array, sigma):
    """Gaussian blur of an (h, w) field; wide ones at a lower resolution."""
    factor = int(sigma // 3)
    if factor < 2 or min(array.shape) < 4 * factor:
        return gaussian_filter(array, sigma, truncate=3)
    small = gaussian_filter(array[::factor, ::factor], sigma / factor, truncate=3)
    shape = np.array(array.shape) / small.shape
    return gaussian_filter(
        zoom(small, shape, order=1, grid_mode=True, mode='nearest'), factor * 0.7
    )


def inflated(alpha, r, width):
    """The height of an object that is round at its border: its coverage, blurred by `width` r, in pixels."""
    return blurred(np.pad(alpha, 4), r * width + 0.5)[4:-4, 4:-4] ** 0.7 * r


def bump(height, y, x, sigma, amount):
    """Adds a Gaussian bump (or dent) of `amount` pixels at (y, x), in place; sigma (down, across)."""
    rows = np.exp(-0.5 * ((np.arange(height.shape[0]) - y) / sigma[0]) ** 2)
    columns = np.exp(-0.5 * ((np.arange(height.shape[1]) - x) / sigma[1]) ** 2)
    height += (amount * rows[:, None] * columns).astype(np.float32)


def crease(height, points, width, amount):
    """Presses a line of points (n, 2), each (x, y), into the surface, `width` pixels broad, in place."""
    image = Image.new('L', height.shape[::-1])
    ImageDraw.Draw(image).line(path(points), fill=255, width=max(1, round(width)), joint='curve')
    soft = gaussian_filter(np.asarray(image, np.float32) / 255, max(0.5, width / 2), truncate=3)
    height -= amount * soft


def weathered(rng, height, r):
    """Adds what skin, fruit, stone and cloth have: a few bumps, dents and creases, in place."""
    h, w = height.shape
    for _ in range(rng.integers(1, 9)):
        size = r * np.exp(rng.uniform(np.log(0.04), np.log(0.4)))
        sigma = size * np.exp(rng.normal(0, 0.4, 2)) + 0.5
        bump(height, rng.uniform(0, h), rng.uniform(0, w), sigma, size * rng.normal(0, 0.5))
    for _ in range(rng.poisson(0.8)):
        start, turn = rng.uniform(0.2, 0.8, 2) * [w, h], rng.uniform(0, 6.3)
        bend = turn + np.cumsum(rng.normal(0, 0.25, 12))
        points = start + np.cumsum(np.stack([np.cos(bend), np.sin(bend)], 1), 0) * r * 0.08
        width = r * rng.uniform(0.01, 0.08) + 0.5
        crease(height, points, width, width * rng.uniform(0.3, 1.5))


def folded(rng, bank, h, w, r):
    """The height of draped cloth, in pixels: ridges or waves of a smooth field."""
    field = bank.shading(rng, h, w) + rng.uniform(0, 0.5) * bank.shading(rng, h, w)
    ridge = np.sin(field * rng.uniform(2, 6)) if rng.random() < 0.5 else -np.abs(field)
    return (r * rng.uniform(0.03, 0.15) * ridge).astype(np.float32)


def lit(rng, height, light):
    """The light on a relief, (tone (h, w), glance (h, w) in [0,1]), from `light` (radians, in the picture)."""
    dy, dx = np.gradient(height)
    high = rng.uniform(0.4, 1.3)
    towards = -np.array([np.cos(light), np.sin(light)])
    glance = (high - dx * towards[0] - dy * towards[1]) / (
        np.sqrt(dx**2 + dy**2 + 1) * np.hypot(1, high)
    )
    glance = np.clip(glance, 0, 1)
    ambient = rng.uniform(0.2, 0.7)
    return ambient + (1 - ambient) * glance * 1.3, glance
