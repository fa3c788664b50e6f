"""Textures and shading: seeded fields with natural spectra, and patches cut from them."""

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.spatial import cKDTree


def normalised(field):
    """The field with mean 0 and standard deviation 1, float32."""
    return ((field - field.mean()) / (field.std() + 1e-9)).astype(np.float32)


def power_noise(rng, size, slope, stretch=1.0, angle=0.0):
    """Periodic Gaussian noise whose amplitude spectrum falls as f^-slope, size x size.

    `stretch` > 1 draws it out along `angle` (radians): wood grain, fur, brushed metal, water.
    """
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    along, across = fx * np.cos(angle) + fy * np.sin(angle), fy * np.cos(angle) - fx * np.sin(angle)
    frequency = np.hypot(along * stretch, across)
    frequency[0, 0] = np.inf
    white = rng.standard_normal((size, size), dtype=np.float32)
    return normalised(
        irfft2(rfft2(white) / np.maximum(frequency, 1 / size) ** slope, s=(size, size))
    )


def grating(rng, size, smooth):
    """Stripes or ripples bent by a smooth field, with a random profile between sine and square."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(2.5), np.log(40)))
    bend = rng.choice([0, 0.3, 2.0]) * rng.random() * smooth * rng.uniform(0.5, 2)
    wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period + bend * 3)
    return normalised(np.tanh(wave * np.exp(rng.uniform(-1, 2))))


def weave(rng, size, smooth):
    """Cloth: two crossed gratings, one over the other by turns."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    period, angle = rng.uniform(3, 12), rng.uniform(0, np.pi)
    u = (x * np.cos(angle) + y * np.sin(angle)) / period + 0.4 * smooth
    v = (y * np.cos(angle) - x * np.sin(angle)) / period
    over = np.sin(np.pi * u) * np.sin(np.pi * v) > 0
    return normalised(np.where(over, np.abs(np.sin(np.pi * u)), np.abs(np.sin(np.pi * v))))


def cells(rng, size):
    """Pebbles, scales, cracked earth: distances to the nearest points (Worley, 1996)."""
    points = rng.uniform(0, size, (int(np.exp(rng.uniform(np.log(60), np.log(3000)))), 2))
    grid = np.stack(np.mgrid[: size // 2, : size // 2], -1).reshape(-1, 2) * 2.0
    near, owner = cKDTree(points, boxsize=size).query(grid, k=2)
    shape = (size // 2, size // 2)
    gap = np.minimum((near[:, 1] - near[:, 0]).reshape(shape), rng.uniform(1, 8))
    flat = rng.standard_normal(len(points))[owner[:, 0]].reshape(shape)
    field = rng.choice([0.3, 1.0]) * normalised(gap) + rng.choice([0, 0.5]) * flat
    return normalised(doubled(field))


def doubled(field):
    """The periodic field at twice the size, linearly interpolated."""
    rows = np.stack([field, (field + np.roll(field, -1, 0)) / 2], 1).reshape(-1, field.shape[1])
    return np.stack([rows, (rows + np.roll(rows, -1, 1)) / 2], 2).reshape(len(rows), -1)


def wood(rng, smooth, grain):
    """Growth rings: a sawtooth of a smooth field, with grain along it."""
    phase = smooth * rng.uniform(1, 8) + 0.15 * grain
    return normalised((phase - np.floor(phase)) ** rng.uniform(0.5, 2) + 0.3 * grain)


def speckle(rng, noise):
    """Spots: a noise field cut at a high level."""
    return normalised(np.tanh(4 * (noise - rng.uniform(0.3, 1.5))))


def ridges(rng, noise):
    """Wrinkles, veins, bark: folds of a noise field."""
    return normalised(-(np.abs(noise) ** rng.uniform(0.5, 1)))
