"""Made-up heads of people and animals: skin or fur over a relief, eyes, brows, nose, mouth, hair.

No face was looked at or measured for them: proportions are drawn from wide ranges.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from coats import ragged
from relief import blurred, bump, crease, inflated, lit
from shapes import covered

FINE = 3  # subpixels a pixel has in each direction
DARK = np.full(3, 0.04, np.float32)


@dataclass
class Plan:
    """Where the parts of one head are, in pixels of its layer; places are (x, y)."""

    side: int  # of the layer, which is square
    r: float  # half the head's height
    wide: float  # half its width
    animal: bool
    middle: np.ndarray  # of the head
    level: np.ndarray  # between the eyes
    apart: float  # from there to an eye
    half: float  # half the width of an eye
    nose: np.ndarray
    mouth: np.ndarray

    def eyes(self):
        return [self.level + [s * self.apart, 0] for s in (-1, 1)]

    def filled(self, points):
        """Coverage (side, side) of a polygon of (x, y) points."""
        return covered(points, self.side, self.side, FINE)


def oval(centre, half, power=1.0, count=40):
    """A closed outline (count, 2); `half` is one size or (across, down); power > 1 points its sides."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    return centre + np.stack([c, np.sign(s) * np.abs(s) ** power], 1) * half


def arc(at, half, bend, count=14):
    """A bent line (count, 2) of the given half width; `bend` is how far its middle is lower."""
    t = np.linspace(-1, 1, count)
    return at + np.stack([t * half, bend * (1 - t**2)], 1)


def band(line, thick):
    """The outline of a stroke along a line (n, 2) that thins out at both ends."""
    n = np.array([0, 1]) * (thick * np.sin(np.linspace(0.15, np.pi - 0.15, len(line)))[:, None])
    return np.concatenate([line - n, (line + n)[::-1]])


def over(colour, alpha, paint):
    """Lays `paint` (3,) or (h, w, 3) over the colour with coverage alpha, in place."""
    colour += alpha[..., None] * (np.asarray(paint, np.float32) - colour)


def skin(rng):
    """A colour of skin, (3,): light to dark, warm."""
    light = rng.uniform(0.2, 0.9)
    warm = rng.uniform(0.1, 0.35) * (1.15 - light * 0.7)
    return np.clip(light * np.array([1 + warm, 1, 1 - warm * 0.9]), 0.02, 1).astype(np.float32)


def planned(rng, r):
    """The plan of a head of half height r, and the outline of its face."""
    side = int(2.9 * r) + 4
    middle, animal = np.array([side / 2, side / 2]), rng.random() < 0.35
    wide = r * (rng.uniform(0.65, 1.1) if animal else rng.uniform(0.62, 0.82))
    face = oval(middle, [wide, r], rng.uniform(0.8, 1.05), 60)
    face[:, 0] += (middle[0] - face[:, 0]) * rng.uniform(0, 0.3) * (face[:, 1] > middle[1])
    turned = np.array([rng.normal(0, 0.12) * wide, rng.normal(0, 0.05) * r])
    level = middle + turned + [0, rng.uniform(-0.2, 0.05) * r]
    apart = wide * rng.uniform(0.38, 0.52)
    half = r * (rng.uniform(0.12, 0.3) if animal else rng.uniform(0.1, 0.17))
    nose = level + [0, rng.uniform(0.28, 0.5) * r]
    mouth = level + [0, rng.uniform(0.58, 0.78) * r]
    return Plan(side, r, wide, animal, middle, level, apart, half, nose, mouth), face


def modelled(rng, alpha, plan):
    """The height of the face in pixels: sockets, balls, brows, cheeks, nose, chin."""
    r, level, nose, mouth = plan.r, plan.level, plan.nose, plan.mouth
    height = inflated(alpha, r, rng.uniform(0.12, 0.3)) * rng.uniform(0.7, 1.2)
    for s, (x, y) in zip((-1, 1), plan.eyes()):
        bump(height, y, x, (0.16 * r, 0.2 * r), -0.10 * r)
        bump(height, y, x, (0.07 * r, 0.09 * r), 0.05 * r)
        bump(height, y - 0.2 * r, x, (0.06 * r, 0.2 * r), 0.04 * r)
        cheek = level[0] + s * 1.1 * plan.apart
        bump(height, y + 0.4 * r, cheek, (0.14 * r, 0.14 * r), 0.07 * r)
        bump(height, nose[1], nose[0] + s * 0.09 * r, (0.05 * r, 0.05 * r), 0.05 * r)
        if rng.random() < 0.5:  # the fold beside the mouth
            line = arc(mouth + [s * 0.33 * r, -0.12 * r], 0.05 * r, 0.1 * r)
            crease(height, line, 0.04 * r, 0.015 * r * rng.random())
    bump(height, (level[1] + nose[1]) / 2, nose[0], (0.2 * r, 0.06 * r), 0.09 * r)
    bump(height, nose[1], nose[0], (0.07 * r, 0.08 * r), 0.10 * r * rng.uniform(0.6, 1.5))
    bump(height, mouth[1] + 0.28 * r, mouth[0], (0.09 * r, 0.13 * r), 0.06 * r)
    return height


def complexion(rng, scene, plan, base, strands):
    """The colour of the face (side, side, 3) before light: fur with patches, or skin with some red."""
    bank, side, r = scene['bank'], plan.side, plan.r
    colour = np.broadcast_to(base, (side, side, 3)).copy()
    if plan.animal:
        patches = np.clip((bank.shading(rng, side, side) - rng.normal(0, 0.6)) * 4, 0, 1)
        over(colour, patches * rng.uniform(0, 1), scene['palette'].colour(rng))
        return colour * (1 + rng.uniform(0.05, 0.3) * strands[..., None])
    red = np.zeros((side, side), np.float32)
    for s in (-1, 0, 1):  # nose and cheeks
        y, x = plan.level[1] + 0.38 * r, plan.level[0] + s * plan.apart
        bump(red, y, x, (0.15 * r, 0.15 * r), rng.uniform(0, 0.14))
    colour *= 1 + red[..., None] * np.array([0.6, -0.7, -0.6], np.float32)
    pores = rng.exponential(0.012) * bank.patch(rng, bank.rough, side, side)
    return colour * (1 + pores[..., None])


def lips(rng, colour, plan, base):
    """A mouth, closed, open or with teeth, in place."""
    r, width, smile = plan.r, rng.uniform(0.14, 0.32) * plan.r, rng.normal(0, 0.05) * plan.r
    tint = [rng.uniform(0.75, 1.1), rng.uniform(0.5, 0.8), rng.uniform(0.5, 0.85)]
    thick = rng.uniform(0.03, 0.085) * r
    outer = plan.filled(band(arc(plan.mouth, width, smile), thick))
    over(colour, outer * (0.3 if plan.animal else 0.85), base * tint)
    opened = rng.random() < 0.35
    gap = rng.uniform(0.2, 0.8) * thick if opened else rng.uniform(0.008, 0.016) * r
    inner = plan.filled(band(arc(plan.mouth, width * 0.9, smile), gap + 0.2))
    teeth = rng.random() < 0.6 and gap > 0.03 * r
    over(colour, inner, np.full(3, rng.uniform(0.6, 0.9) if teeth else 0.08) * [1, 0.95, 0.9])


def nostrils(rng, scene, colour, plan, base):
    """The openings of the nose and, for animals, its pad, in place."""
    r = plan.r
    for s in (-1, 1):
        hole = plan.filled(oval(plan.nose + [s * 0.07 * r, 0.07 * r], [0.035 * r, 0.02 * r]))
        over(colour, blurred(hole, 0.012 * r + 0.2) * 0.7, base * 0.2)
    if plan.animal and rng.random() < 0.6:
        pad = plan.filled(oval(plan.nose + [0, 0.02 * r], [0.13 * r, 0.09 * r], 0.8))
        over(colour, pad, scene['palette'].colour(rng, rng.uniform(0.05, 0.5)))


def eyes(rng, colour, plan):
    """Both eyes, in place: a pale ball, iris, pupil, glint, and the dark line of the lid."""
    animal, half = plan.animal, plan.half
    opened = rng.uniform(0.6, 1.0) if animal else rng.uniform(0.35, 0.65)
    white = rng.uniform(0.55, 0.9) * np.array([1, 0.97, 0.94])
    iris = half * (rng.uniform(0.7, 1.1) if animal else rng.uniform(0.4, 0.6))
    tint = np.clip(rng.choice([0.12, 0.25, 0.45]) * (1 + rng.normal(0, 0.35, 3)), 0.02, 0.9)
    pupil = iris * rng.uniform(0.35, 0.7) * np.array([rng.choice([0.3, 1]) if animal else 1, 1])
    glint, lash = rng.uniform(-0.5, 0.5, 2) * iris, rng.uniform(0.4, 1.5)
    looks = rng.normal(0, 0.12, 2) * half
    for at in plan.eyes():
        ball = plan.filled(oval(at, [half, half * opened], 1.3))
        over(colour, ball, white)
        disc = ball * plan.filled(oval(at + looks, iris))
        over(colour, disc, tint)
        rim = disc - ball * plan.filled(oval(at + looks, iris * 0.8))
        over(colour, np.clip(rim, 0, 1) * 0.5, tint * 0.3)
        over(colour, ball * plan.filled(oval(at + looks, pupil)), DARK)
        over(colour, 0.9 * ball * plan.filled(oval(at + looks + glint, half * 0.14)), [0.95] * 3)
        lid = blurred(ball, 0.12 * half + 0.3)
        upper = lid - np.roll(lid, max(1, round(0.25 * half)), 0)
        over(colour, np.clip(upper, 0, 1) * min(lash, 1.0), DARK)


def brows(rng, colour, plan, tint, strands):
    """Eyebrows and, at times, spectacles, in place."""
    r, half = plan.r, plan.half
    raised, bow = rng.uniform(0.14, 0.24) * r, rng.uniform(0.01, 0.08) * r
    thick, strong = 0.035 * r * rng.uniform(0.4, 1.3), rng.uniform(0.4, 0.95)
    for at in plan.eyes():
        line = band(arc(at - [0, raised], half * 1.5, -bow), thick + 0.3)
        shade = blurred(plan.filled(line), 0.01 * r + 0.2)
        over(colour, shade * strong * np.clip(0.8 + 0.2 * strands, 0, 1), tint)
    if rng.random() < 0.15:
        for at in plan.eyes():
            glass = [plan.filled(oval(at, np.array([1.7, 1.35]) * half * k, 0.8)) for k in (1, 0.88)]
            over(colour, np.clip(glass[0] - glass[1], 0, 1), tint * 0.7)


def haired(rng, scene, colour, alpha, plan, tint):
    """The head under a cap of hair: (colour, alpha)."""
    r, wide, middle, side = plan.r, plan.wide, plan.middle, plan.side
    crown = middle - [0, r * rng.uniform(0.02, 0.2)]
    whole = oval(crown, [wide * rng.uniform(1.05, 1.4), r * 1.08])
    brow = middle + [rng.normal(0, 0.1) * r, r * rng.uniform(0.25, 0.55)]
    open_ = plan.filled(oval(brow, np.array([wide, r]) * rng.uniform(0.85, 1.0)))
    length = rng.uniform(-0.9, 0.4)
    whole[:, 1] += (whole[:, 1] > middle[1]) * length * (whole[:, 1] - middle[1])
    round_ = plan.filled(whole)
    strands, direction = scene['bank'].hair(rng, side, side)
    cap = ragged(round_ * (1 - open_), strands, direction, rng.uniform(0, 0.3) * r)
    tone, glance = lit(rng, inflated(round_, r, 0.3) + 0.02 * r * strands, scene['light'])
    tone = np.clip(tone * (1 + rng.uniform(0.05, 0.35) * strands), 0.15, 2)
    shine = rng.uniform(0, 0.5) * glance ** rng.uniform(4, 20) * np.clip(1 + 0.6 * strands, 0, 2)
    colour = colour * (1 - 0.4 * blurred(cap, 0.05 * r) * alpha)[..., None]
    over(colour, cap, tint * tone[..., None] + shine[..., None] * (0.3 + 0.7 * tint))
    return colour, np.maximum(alpha, cap)


def head(rng, scene, x, y, r):
    """A head of half height r at (x, y): (colour (s, s, 3), alpha (s, s), top, left)."""
    plan, face = planned(rng, r)
    alpha = plan.filled(face)
    tone, glance = lit(rng, modelled(rng, alpha, plan), scene['light'] + rng.normal(0, 0.3))
    base = scene['palette'].colour(rng) if plan.animal else skin(rng)
    strands, direction = scene['bank'].hair(rng, plan.side, plan.side)
    colour = complexion(rng, scene, plan, base, strands)
    if rng.random() < 0.8:
        lips(rng, colour, plan, base)
    nostrils(rng, scene, colour, plan, base)
    colour *= tone[..., None]
    if rng.random() < 0.6:  # the sheen of skin
        colour += rng.uniform(0.02, 0.25) * glance[..., None] ** rng.uniform(8, 40)
    eyes(rng, colour, plan)
    tint = scene['palette'].colour(rng, rng.uniform(0.03, 0.35))
    if plan.animal:
        alpha = ragged(alpha, strands, direction, 0.12 * r)
    else:
        brows(rng, colour, plan, tint, strands)
        if rng.random() < 0.85:
            colour, alpha = haired(rng, scene, colour, alpha, plan, tint)
    angle = np.degrees(rng.normal(0, 0.2) if rng.random() < 0.8 else rng.uniform(0, 6.3))
    layer = np.concatenate([np.clip(colour, 0, 1), alpha[..., None]], 2)
    layer = Image.fromarray((layer * 255).astype(np.uint8), 'RGBA').rotate(angle, Image.BILINEAR)
    layer = np.asarray(layer, np.float32) / 255
    return layer[..., :3], layer[..., 3], int(y - plan.side / 2), int(x - plan.side / 2)
