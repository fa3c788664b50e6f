"""Restoration without training, for comparison: each method of a task at several settings.

Images are float arrays (h, w, 3) in [-1,1]; noise has the standard deviation SIGMA there.
"""

import numpy as np
from PIL import Image
from skimage.restoration import (
    denoise_tv_chambolle,
    inpaint_biharmonic,
    richardson_lucy,
    wiener,
)

SIGMA = 0.05
SCALE = 4
BLUR = 3.0


def gaussian_taps(std, radius):
    """Taps of a Gaussian cut at `radius`, summing to 1."""
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / std) ** 2)
    return taps / taps.sum()


def reflected(i, n):
    """Index i of a row of n pixels that is mirrored at its edges, which are not repeated."""
    i = abs(i) % (2 * n - 2)
    return i if i < n else 2 * n - 2 - i


def blur_matrix(n):
    """Row-wise Gaussian blur of `dsg degrade --task deblur`, (n, n)."""
    radius = int(4 * BLUR + 0.5)
    matrix = np.zeros((n, n))
    for row in range(n):
        for k, tap in enumerate(gaussian_taps(BLUR, radius)):
            matrix[row, reflected(row + k - radius, n)] += tap
    return matrix


def cubic(x, a=-0.5):
    """The cubic convolution kernel (Keys 1981)."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def reduction_matrix(n):
    """Row-wise antialiased cubic reduction of `dsg degrade --task sr`, (n / SCALE, n)."""
    matrix = np.zeros((n // SCALE, n))
    for row in range(n // SCALE):
        centre = (row + 0.5) * SCALE - 0.5
        taps = np.arange(int(centre - 2 * SCALE), int(centre + 2 * SCALE) + 2)
        weights = cubic((taps - centre) / SCALE)
        for i, weight in zip(taps, weights / weights.sum()):
            edge = i if i >= 0 else -1 - i  # the edge is repeated
            matrix[row, edge if edge < n else 2 * n - 1 - edge] += weight
    return matrix


def separable(matrix):
    """A and its adjoint for images of the given row-wise matrix, the same for columns."""
    A = lambda x: np.einsum('ih,hwc,jw->ijc', matrix, x, matrix, optimize=True)  # noqa: E731
    At = lambda y: np.einsum('ih,ijc,jw->hwc', matrix, y, matrix, optimize=True)  # noqa: E731
    return A, At


def total_variation(A, At, y, start, weights, rounds=80):
    """argmin ½‖Ax − y‖² + w TV(x) for each weight w, by FISTA (Beck & Teboulle 2009); ‖A‖ ≤ 1."""
    for weight in weights:
        x = z = start
        momentum = 1.0
        for _ in range(rounds):
            slope = At(A(z) - y)
            moved = denoise_tv_chambolle(z - slope, weight, eps=1e-5, max_num_iter=30, channel_axis=2)
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            z = moved + (momentum - 1) / following * (moved - x)
            x, momentum = moved, following
        yield x


def on_unit(method, y):
    """A method for images in [0,1], channel by channel, applied to one in [-1,1]."""
    return np.stack([2 * method((y[..., c] + 1) / 2) - 1 for c in range(3)], 2)


def deblurring(y):
    """Pairs (method, image) of a blurred image."""
    kernel = np.outer(*[gaussian_taps(BLUR, int(4 * BLUR + 0.5))] * 2)
    edge = 32
    padded = np.pad(y, ((edge, edge), (edge, edge), (0, 0)), 'reflect')
    inner = slice(edge, -edge)
    yield 'measurement', y
    for balance in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3):
        found = on_unit(lambda c: wiener(c, kernel, balance, clip=False), padded)
        yield 'Wiener', found[inner, inner]
    for rounds in (3, 6, 10, 15, 25):
        found = on_unit(lambda c: richardson_lucy(np.clip(c, 0, 1), kernel, rounds), padded)
        yield 'Richardson-Lucy', found[inner, inner]
    A, At = separable(blur_matrix(len(y)))
    for x in total_variation(A, At, y, y, (0.001, 0.002, 0.004, 0.008)):
        yield 'total variation', x


def super_resolution(y):
    """Pairs (method, image) of a reduced image."""
    size = tuple(SCALE * n for n in y.shape[1::-1])
    for name, kernel in (('bicubic', Image.BICUBIC), ('Lanczos', Image.LANCZOS)):
        planes = [Image.fromarray(y[..., c].astype(np.float32)) for c in range(3)]
        large = np.stack([np.asarray(p.resize(size, kernel)) for p in planes], 2)
        yield name, large
    A, At = separable(reduction_matrix(size[0]))
    for x in total_variation(A, At, y, large.astype(float), (0.0003, 0.0006, 0.0012, 0.0025)):
        yield 'total variation', x


def inpainting(y, kept):
    """Pairs (method, image) of an image of which the pixels of the mask `kept` are known."""
    known = kept[..., None]
    yield 'measurement', np.where(known, y, 0)
    filled = inpaint_biharmonic(np.where(known, y, 0), ~kept, channel_axis=2)
    yield 'biharmonic', filled
    for weight in (0.05, 0.1, 0.15):
        yield 'biharmonic', denoise_tv_chambolle(filled, weight / 3, channel_axis=2)
    hide = lambda x: np.where(known, x, 0)  # noqa: E731
    for x in total_variation(hide, hide, hide(y), filled, (0.02, 0.03, 0.045, 0.06)):
        yield 'total variation', x
