"""Compares generated scenes with real photographs: gradients, power spectrum, colour covariance.

    python image_statistics.py --scenes CACHE --first 0 --count 200 --photographs FOLDER --out DIR

Prints a table and writes statistics.png, and scenes.jpg with sixteen of the scenes. The photographs
are measured, never trained on.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from photographs import photographs
from scenes import cached

EDGES = np.linspace(-0.6, 0.6, 121)
FREQUENCIES = np.arange(4, 90)


def grey(images):
    """Luma in [0,1] of bytes (n, h, w, 3)."""
    return images.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255


def gradients(images):
    """Horizontal and vertical luma differences of neighbours, one row an image."""
    y = grey(images)
    n = len(y)
    return np.concatenate([np.diff(y, axis=1).reshape(n, -1), np.diff(y, axis=2).reshape(n, -1)], 1)


def spectrum(images):
    """Power by radial frequency (cycles an image), Hann window, one row an image."""
    y = grey(images)
    size = y.shape[1]
    window = np.outer(np.hanning(size), np.hanning(size))
    power = np.abs(np.fft.fft2((y - y.mean((1, 2), keepdims=True)) * window)) ** 2
    f = np.fft.fftfreq(size) * size
    ring = np.round(np.hypot(f[:, None], f[None])).astype(int)
    return np.stack([power[:, ring == k].mean(1) for k in FREQUENCIES], 1) + 1e-6


def summary(images):
    """The figures of one set of images, by name; medians and means over images."""
    d = gradients(images)
    slopes = np.polyfit(np.log(FREQUENCIES), np.log(spectrum(images)).T, 1)[0]
    pixels = images.reshape(len(images), -1, 3).astype(np.float64) / 255
    covariances = np.stack([np.cov(p[::7].T) for p in pixels])
    values, vectors = np.linalg.eigh(covariances.mean(0))
    chroma = pixels - pixels.mean(2, keepdims=True)
    deviation = np.sqrt(values[::-1])
    return {
        'luma mean': grey(images).mean(),
        'luma deviation': np.median(grey(images).std((1, 2))),
        'gradient deviation': np.median(d.std(1)),
        'gradient kurtosis, pooled': (d**4).mean() / (d**2).mean() ** 2,
        'gradient kurtosis, median image': np.median((d**4).mean(1) / (d**2).mean(1) ** 2),
        'flat share (|difference| < 0.01)': np.median((np.abs(d) < 0.01).mean(1)),
        'edge share (|difference| > 0.1)': np.median((np.abs(d) > 0.1).mean(1)),
        'spectrum slope, median': np.median(slopes),
        'spectrum slope, lower quartile': np.quantile(slopes, 0.25),
        'spectrum slope, upper quartile': np.quantile(slopes, 0.75),
        'colour axes, second to first': deviation[1] / deviation[0],
        'colour axes, third to first': deviation[2] / deviation[0],
        'chroma, root mean square': np.sqrt((chroma**2).mean()),
        'first axis': ' '.join(f'{v:.2f}' for v in vectors[:, 2] * np.sign(vectors[1, 2])),
        'second axis': ' '.join(f'{v:.2f}' for v in vectors[:, 1] * np.sign(vectors[0, 1])),
    }


def plot(sets, path):
    """Gradient histograms and power spectra of the sets, {name: images}, as one picture."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5))
    for name, images in sets.items():
        histogram = np.histogram(gradients(images), EDGES, density=True)[0]
        left.semilogy((EDGES[1:] + EDGES[:-1]) / 2, histogram + 1e-5, label=name)
        logarithms = np.log(spectrum(images))
        right.loglog(FREQUENCIES, np.exp(logarithms.mean(0)), label=name)
    left.set(xlabel='luma difference of neighbours', ylabel='density')
    right.set(xlabel='cycles an image', ylabel='power (geometric mean)')
    left.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def sheet(images, path):
    """The first sixteen images as one picture, four a row."""
    rows = [np.concatenate(list(images[k : k + 4]), 1) for k in range(0, 16, 4)]
    Image.fromarray(np.concatenate(rows)).save(path, quality=88)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    arguments.add_argument('--scenes', required=True, help='cache folder of scenes.py')
    arguments.add_argument('--first', type=int, default=0)
    arguments.add_argument('--count', type=int, default=200)
    arguments.add_argument('--photographs', help='a folder of further PNG photographs')
    arguments.add_argument('--out', type=Path, required=True)
    a = arguments.parse_args()
    whole = [cached(a.scenes, k) for k in range(a.first, a.first + a.count)]
    sets = {
        'photographs': photographs(a.photographs)[1],
        'scenes': np.stack([s[128:384, 128:384] for s in whole]),
        'scenes, halved': np.stack([np.asarray(Image.fromarray(s[:]).reduce(2)) for s in whole]),
    }
    rows = {name: summary(images) for name, images in sets.items()}
    print('| |', ' | '.join(rows), '|')
    print('| --- |', ' --- |' * len(rows))
    for key in rows['photographs']:
        cells = [v if isinstance(v := row[key], str) else f'{v:.3f}' for row in rows.values()]
        print('|', key, '|', ' | '.join(cells), '|')
    a.out.mkdir(parents=True, exist_ok=True)
    plot(sets, a.out / 'statistics.png')
    sheet(sets['scenes, halved'], a.out / 'scenes.jpg')


if __name__ == '__main__':
    main()
