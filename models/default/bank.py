"""The textures of one scene, and patches cut from them."""

import numpy as np
from scipy.ndimage import gaussian_filter

from coats import coat
from textures import cells, grating, normalised, power_noise, ridges, speckle, weave, wood


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
        self.coat, self.flow = coat(rng, size, self.smooth[rng.integers(2)])
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
        self.fields = [self.rough, self.rough, grain, self.coat] + [recipes[k]() for k in chosen]

    def cut(self, field, top, left, height, width):
        """The height x width patch of a field at a place, wrapped at its borders."""
        if top + height <= self.size and left + width <= self.size:
            return field[top : top + height, left : left + width]
        rows, columns = np.arange(top, top + height), np.arange(left, left + width)
        return field.take(rows, 0, mode='wrap').take(columns, 1, mode='wrap')

    def patch(self, rng, field, height, width):
        """A height x width patch of a field at a random place, transposed or not."""
        top, left = rng.integers(0, self.size, 2)
        return self.cut(field.T if rng.random() < 0.5 else field, top, left, height, width)

    def hair(self, rng, height, width):
        """A patch of strands (height, width) of order 1, and their direction there (dy, dx)."""
        top, left = rng.integers(0, self.size, 2)
        strands, dy, dx = [
            self.cut(field, top, left, height, width) for field in (self.coat, *self.flow)
        ]
        return strands, (dy, dx)

    def texture(self, rng, height, width):
        """A patch of a random texture, shape (height, width), of order 1."""
        return self.patch(rng, self.fields[rng.integers(len(self.fields))], height, width)

    def shading(self, rng, height, width):
        """A smooth patch for soft light on uneven surfaces."""
        return self.patch(rng, self.smooth[rng.integers(2)], height, width)
