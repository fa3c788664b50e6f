"""Scenes that training never reaches, as PNG: what presets are tuned on.

python held_out.py FOLDER [COUNT] [SIDE] [FIRST]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from scenes import SIZE, scene
from validation import HELD_OUT

FIRST = HELD_OUT + 100  # validation has the ones before, `dsg demo` one from 200 on


def picture(index, side):
    """A square of a scene that was halved, as the photographs are reduced: of nine, the one with most detail.

    A flat square is restored to 40 dB by almost any setting, and so says little of which is good.
    """
    half = SIZE // 2
    small = Image.fromarray(scene(index)).resize((half, half), Image.BOX)
    offsets = [k * (half - side) // 2 for k in range(3)]
    squares = [small.crop((x, y, x + side, y + side)) for y in offsets for x in offsets]
    return max(squares, key=detail)


def detail(image):
    """How much neighbours differ in lightness, on average."""
    luma = np.asarray(image.convert('L'), float)
    return sum(np.abs(np.diff(luma, axis=k)).mean() for k in (0, 1))


if __name__ == '__main__':
    folder, *given = sys.argv[1:]
    count, side, first = [int(v) for v in given] + [8, 128, FIRST][len(given) :]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for k in range(first, first + count):
        picture(k, side).save(Path(folder) / f'{k}.png', optimize=True)
