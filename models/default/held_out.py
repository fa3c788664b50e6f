"""Scenes that training never reaches, as PNG: what presets are tuned on.

python held_out.py FOLDER [COUNT] [SIDE] [FIRST]
"""

import sys
from pathlib import Path

from PIL import Image

from scenes import SIZE, scene
from validation import HELD_OUT

FIRST = HELD_OUT + 100  # validation has the ones before, `dsg demo` one from 200 on


def picture(index, side):
    """The central square of a scene that was halved, as the photographs are reduced."""
    half = SIZE // 2
    small = Image.fromarray(scene(index)).resize((half, half), Image.BOX)
    edge = (half - side) // 2
    return small.crop((edge, edge, edge + side, edge + side))


if __name__ == '__main__':
    folder, *given = sys.argv[1:]
    count, side, first = [int(v) for v in given] + [4, 128, FIRST][len(given) :]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for k in range(first, first + count):
        picture(k, side).save(Path(folder) / f'{k}.png', optimize=True)
