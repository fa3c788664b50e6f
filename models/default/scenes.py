"""Procedural scenes with the statistics of photographs: dead leaves that are themselves objects.

Objects of power-law size occlude each other (Lee, Mumford & Huang, 2001); each has an outline, a
colour of the scene's palette, soft shading, a texture, and may cast a shadow. As training data for
restoration: Achddou, Gousseau & Ladjal, 2021.

    python scenes.py FOLDER FIRST LAST [PROCESSES]    scenes FIRST..LAST-1, skipping those in FOLDER
"""

import os
import sys
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from bank import Bank
from clutter import CLUTTER
from objects import drawing, leaf, pelt, portrait, solid, surface
from palette import Palette
from shapes import OUTLINES

SIZE = 512
VERSION = 2  # part of every seed and cache name: raise it when the pictures change


def backdrop(rng, scene, size):
    """What is behind everything: a sky with clouds, a wall, or a textured ground."""
    palette, bank = scene['palette'], scene['bank']
    if rng.random() < 0.4:
        return surface(rng, scene, size, size, palette.colour(rng))
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j].astype(np.float32)
    angle = rng.normal(np.pi / 2, 0.6)
    ramp = np.clip(x * np.cos(angle) + y * np.sin(angle), 0, 1)[..., None] ** rng.uniform(0.5, 2)
    above, below = palette.colour(rng), palette.colour(rng)
    canvas = above + (below - above) * ramp
    if rng.random() < 0.5:
        cloud = 1 / (
            1 + np.exp(-rng.uniform(1, 4) * (bank.shading(rng, size, size) - rng.normal(0.3, 0.7)))
        )
        white = palette.colour(rng, rng.uniform(0.6, 1))
        canvas += cloud[..., None] * rng.uniform(0.2, 0.8) * (white - canvas)
    if rng.random() < 0.9:
        canvas *= 1 + rng.exponential(scene['grit']) * bank.rough[..., None]
    return canvas


def disc(radius):
    """A defocused point: a disc of the given radius in pixels, with a soft rim."""
    n = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def defocused(canvas, radius):
    """The canvas through a lens focused elsewhere; highlights spread as light does (gamma 2.2)."""
    kernel, n = disc(radius), int(np.ceil(radius)) + 1
    linear = np.pad(np.clip(canvas, 0, 1.3) ** 2.2, ((n, n), (n, n), (0, 0)), mode='reflect')
    spread = [fftconvolve(linear[..., k], kernel, mode='valid') for k in range(3)]
    return np.clip(np.stack(spread, -1), 0, None).astype(np.float32) ** (1 / 2.2)


def sizes(rng, count, smallest, largest, exponent):
    """Radii with density r^-exponent between two bounds (inverse transform)."""
    e = 1 - exponent
    low, high = smallest**e, largest**e
    return (low + (high - low) * rng.random(count)) ** (1 / e)


def develop(rng, world, canvas):
    """The camera: uneven light, exposure, lens softness, a shoulder for highlights; gives bytes."""
    size = canvas.shape[0]
    if rng.random() < 0.5:
        y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
        angle = rng.uniform(0, 6.3)
        canvas = (
            canvas * (1 + rng.normal(0, 0.3) * (x * np.cos(angle) + y * np.sin(angle)))[..., None]
        )
    if rng.random() < 0.5:  # a room or a street lit from one side
        field = world['bank'].shading(rng, size, size)
        canvas = canvas * np.exp(rng.uniform(0, 0.5) * field)[..., None]
    if rng.random() < 0.4:  # shade of things outside the picture, dappled or broad
        field = world['bank'].shading(rng, size, size) - rng.normal(0.3, 0.7)
        shade = 1 / (1 + np.exp(-np.exp(rng.uniform(0, 3)) * field))
        canvas = canvas * (1 - rng.uniform(0.2, 0.75) * shade)[..., None]
    canvas = (
        canvas * np.exp(rng.normal(0.08, 0.2)) * (1 + rng.normal(0, 0.04, 3).astype(np.float32))
    )
    canvas = canvas + rng.choice([0, 0, rng.uniform(-0.04, 0.1)])
    sigma = rng.choice([0, rng.uniform(0.2, 1.0)])
    if sigma:
        canvas = gaussian_filter(canvas, (sigma, sigma, 0), truncate=3)
    knee = 0.8
    over = np.clip(canvas - knee, 0, None)
    canvas = np.minimum(canvas, knee) + (1 - knee) * np.tanh(over / (1 - knee) * 0.8) / np.tanh(2.0)
    return np.clip(np.round(canvas * 255), 0, 255).astype(np.uint8)


def places(rng, count, size):
    """Where `count` objects lie: anywhere, or in clusters (a Neyman-Scott process)."""
    spots = rng.uniform(-0.05 * size, 1.05 * size, (count, 2))
    if rng.random() < 0.6:
        parents = rng.uniform(0, size, (rng.integers(2, 12), 2))
        spread = np.exp(rng.uniform(np.log(0.03), np.log(0.3), (len(parents), 1))) * size
        k = rng.integers(len(parents), size=count)
        clustered = parents[k] + spread[k] * rng.standard_normal((count, 2))
        spots = np.where(rng.random((count, 1)) < rng.uniform(0.4, 1), clustered, spots)
    return spots


# Each kind of object with its Dirichlet weight: how much of a plane it tends to be.
KINDS = {leaf: 1.0, solid: 1.3, drawing: 0.5, pelt: 0.6, portrait: 0.3}


def object_of(rng, mix, r):
    """The kind of an object of radius r: the small ones are flat."""
    return list(KINDS)[rng.choice(len(KINDS), p=mix)] if r > 6 else leaf


def fill(rng, world, canvas):
    """One plane of objects of power-law size, large ones with details of their own colours."""
    size = canvas.shape[0]
    mix = rng.dirichlet(list(KINDS.values()))
    radii = sizes(
        rng,
        4000,
        np.exp(rng.uniform(np.log(2.5), np.log(60))),
        rng.uniform(100, 380),
        rng.uniform(1.8, 3.0),
    )
    cover = np.exp(rng.uniform(np.log(0.2), np.log(2.5)))
    radii = radii[: np.searchsorted(np.cumsum(np.pi * radii**2 * 0.5), cover * size**2) + 1]
    if rng.random() < 0.6:
        radii = np.sort(radii)[::-1]
    for r, (x, y) in zip(radii, places(rng, len(radii), size)):
        object_of(rng, mix, r)(rng, world, canvas, x, y, r)
        if r > 25 and rng.random() < world['detail']:
            own = world | {'palette': world['palette'].family(rng)}
            for _ in range(rng.poisson(np.exp(rng.uniform(0, 3.5)))):
                a = r * np.exp(rng.uniform(np.log(0.03), np.log(0.5)))
                object_of(rng, mix, a)(rng, own, canvas, *([x, y] + rng.normal(0, 0.45 * r, 2)), a)
    for _ in range(rng.poisson(1.5)):
        r = np.exp(rng.uniform(np.log(20), np.log(250)))
        drawing(rng, world, canvas, *rng.uniform(0, size, 2), r)


def scene(index, size=SIZE):
    """Scene number `index`, (size, size, 3) bytes: the same at every call, on every machine."""
    rng = np.random.default_rng([VERSION, index])
    world = {
        'palette': Palette(rng),
        'bank': Bank(rng, size),
        'light': rng.uniform(0, 2 * np.pi),
        'shadows': rng.choice([0, 0.3, 0.7]),
        'roughness': rng.exponential(0.08) + 0.025,
        'layers': rng.dirichlet([0.6, 1.5, 1.0]),
        'grit': rng.exponential(0.04) + 0.03,
        'alike': rng.uniform(0.4, 0.98),
        'detail': rng.uniform(0, 0.6),
        'outlines': [OUTLINES[k] for k in rng.choice(len(OUTLINES), rng.integers(1, 6))],
        'clutter': rng.dirichlet(list(CLUTTER.values())),
    }
    canvas = backdrop(rng, world, size)
    planes = rng.integers(1, 4)
    focus = planes if rng.random() < 0.08 else rng.integers(0, planes)
    for plane in range(planes):
        fill(rng, world | {'palette': world['palette'].family(rng)}, canvas)
        if plane < focus and rng.random() < 0.6:
            canvas = defocused(canvas, np.exp(rng.uniform(np.log(0.7), np.log(8))))
    return develop(rng, world, canvas)


def cached(folder, index):
    """Scene `index` from a cache folder, read-only; drawn and kept there when it is missing."""
    name = Path(folder) / f'{VERSION}-{index:07d}.npy'
    if not name.exists():
        name.parent.mkdir(parents=True, exist_ok=True)
        part = name.with_suffix(f'.{os.getpid()}')
        with open(part, 'wb') as file:
            np.save(file, scene(index))
        part.rename(name)
    return np.load(name, mmap_mode='r')


def drawn(folder, index):
    """Sees to it that a scene is in the cache folder."""
    cached(folder, index)


if __name__ == '__main__':
    folder, first, last, *processes = sys.argv[1:]
    with Pool(*map(int, processes or [1])) as pool:
        for _ in pool.imap(partial(drawn, folder), range(int(first), int(last))):
            pass
