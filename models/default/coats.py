"""Hair, fur, grass and brushed matter: strands that follow a flow, in locks, with a ragged border."""

import numpy as np
from scipy.ndimage import gaussian_filter

from textures import normalised


def flow(rng, smooth):
    """A direction at every pixel (dy, dx): a random angle, bent by a smooth periodic field."""
    angle = rng.uniform(0, 2 * np.pi) + rng.choice([0.15, 0.4, 1.0]) * smooth
    return np.sin(angle).astype(np.float32), np.cos(angle).astype(np.float32)


def along(fields, direction, length):
    """Periodic fields (k, n, n) summed over `length` pixels of the line of flow through each pixel,
    as B. Cabral and L. Leedom's line integral convolution does (SIGGRAPH 1993)."""
    size = fields.shape[-1]
    start = np.mgrid[:size, :size].astype(np.float32).reshape(2, -1)
    total, flat = fields.copy(), fields.reshape(len(fields), -1)
    dy, dx = (part.ravel() for part in direction)
    for step in (1, -1):
        (y, x), place = start, np.arange(size * size)
        for _ in range(length // 2):
            y, x = y + step * dy[place], x + step * dx[place]
            place = (y.astype(np.int32) % size) * size + x.astype(np.int32) % size
            total += flat[:, place].reshape(fields.shape)
    return total


def coat(rng, size, smooth):
    """A field of strands in locks, periodic, (size, size), of order 1, and its flow."""
    direction = flow(rng, smooth)
    thin, wide = rng.uniform(0.4, 1.1), np.exp(rng.uniform(np.log(2), np.log(7)))
    white = rng.standard_normal((2, size, size), dtype=np.float32)
    noise = np.stack([gaussian_filter(w, s, mode='wrap') for w, s in zip(white, (thin, wide))])
    strands, locks = along(noise, direction, int(np.exp(rng.uniform(np.log(8), np.log(44)))))
    share = rng.uniform(0.2, 0.8)
    return normalised(share * normalised(strands) + (1 - share) * normalised(locks)), direction


def ragged(alpha, strands, direction, length):
    """The coverage (h, w) of an object whose border is drawn out along its strands (a field of order 1),
    by up to `length` / 2 pixels either way."""
    height, width = alpha.shape
    y, x = np.mgrid[:height, :width]
    reach = length * (np.clip(0.5 + 0.3 * strands, 0, 1) - 0.5)
    y = np.clip((y - reach * direction[0]).astype(int), 0, height - 1)
    x = np.clip((x - reach * direction[1]).astype(int), 0, width - 1)
    return gaussian_filter(alpha[y, x], 0.5)
