"""Textures and shading: seeded fields with natural spectra, and patches cut from them."""

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter
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


class Bank:
    """The textures of one scene: a few periodic fields from which surfaces cut their patches."""

    def __init__(self, rng, size):
        self.size = size
        self.smooth = [power_noise(rng, size, rng.uniform(2.0, 2.8)) for _ in range(2)]
        self.rough = power_noise(rng, size, rng.uniform(0.7, 1.6))
        grain = power_noise(
            rng, size, rng.uniform(0.8, 1.4), rng.uniform(3, 20), rng.uniform(0, np.pi)
        )
        fold = gaussian_filter(self.rough, rng.uniform(0.5, 2), mode='wrap')
        recipes = [
            lambda: power_noise(rng, size, rng.uniform(0.4, 1.2)),
            lambda: grating(rng, size, self.smooth[0]),
            lambda: weave(rng, size, self.smooth[1]),
            lambda: cells(rng, size),
            lambda: wood(rng, self.smooth[0], grain),
            lambda: speckle(rng, normalised(fold)),
            lambda: ridges(rng, normalised(fold)),
        ]
        chosen = rng.choice(len(recipes), 3, replace=False)
        self.fields = [self.rough, self.rough, grain] + [recipes[k]() for k in chosen]

    def patch(self, rng, field, height, width):
        """A height x width patch of a field at a random place, wrapped at its borders."""
        top, left = rng.integers(0, self.size, 2)
        if rng.random() < 0.5:
            field = field.T
        if top + height <= self.size and left + width <= self.size:
            return field[top : top + height, left : left + width]
        rows, columns = np.arange(top, top + height), np.arange(left, left + width)
        return field.take(rows, 0, mode='wrap').take(columns, 1, mode='wrap')

    def texture(self, rng, height, width):
        """A patch of a random texture, shape (height, width), of order 1."""
        return self.patch(rng, self.fields[rng.integers(len(self.fields))], height, width)

    def shading(self, rng, height, width):
        """A smooth patch for soft light on uneven surfaces."""
        return self.patch(rng, self.smooth[rng.integers(2)], height, width)
