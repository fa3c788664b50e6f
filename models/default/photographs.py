"""Photographs for measuring, never for training: those that Python packages ship, and a folder."""

from pathlib import Path

import numpy as np
from PIL import Image

PACKAGED = {
    'skimage': [
        'astronaut.png',
        'camera.png',
        'chelsea.png',
        'coffee.png',
        'motorcycle_left.png',
        'rocket.jpg',
    ],
    'matplotlib': ['grace_hopper.jpg'],
}


def packaged():
    """Paths of the photographs that the scikit-image and Matplotlib wheels contain."""
    import matplotlib
    import skimage

    folders = {
        'skimage': Path(skimage.__file__).parent / 'data',
        'matplotlib': Path(matplotlib.get_data_path()) / 'sample_data',
    }
    return [folders[package] / name for package, names in PACKAGED.items() for name in names]


def photograph(path, size=256):
    """The central square of a picture, area-averaged, shape (size, size, 3) bytes."""
    image = Image.open(path).convert('RGB')
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), Image.BOX))


def photographs(folder=None, size=256):
    """All photographs as (names, bytes (n, size, size, 3)); `folder` adds the PNG files in it."""
    paths = packaged() + (sorted(Path(folder).glob('*.png')) if folder else [])
    return [p.stem for p in paths], np.stack([photograph(p, size) for p in paths])
