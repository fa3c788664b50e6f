"""Natural colours: a scene draws a few related ones, broad in lightness and narrow in chroma."""

from copy import copy

import numpy as np

# Opponent axes after the principal components of natural colour images (Ruderman, Cronin & Chiao,
# 1998): lightness, then yellow-blue (daylight), then red-green, in falling order of variance.
YELLOW_BLUE = np.array([0.65, 0.05, -0.75])
RED_GREEN = np.array([0.60, -0.45, 0.10])


class Palette:
    """Colours of one scene in [0,1] (display-encoded RGB): clusters around a few centres.

    Chroma scales with lightness, as it does for surfaces under one light, and its spread over a
    scene is heavy-tailed: most scenes are dull, a few are vivid, some have no colour at all.
    """

    def __init__(self, rng):
        count = rng.integers(2, 8)
        vivid = 0.0 if rng.random() < 0.06 else rng.gamma(2.0, 0.18)
        middle, spread = np.clip(rng.normal(0.42, 0.12), 0.15, 0.8), rng.uniform(0.3, 0.55)
        self.light = np.clip(rng.normal(middle, spread, count), 0.03, 1.0)
        warm, tint = rng.normal(0.12, 0.25) * vivid, rng.normal(0.03, 0.12) * vivid
        self.yellow_blue = np.clip(warm + rng.laplace(0, 0.9, count) * vivid, -0.9, 0.9)
        self.red_green = np.clip(tint + rng.laplace(0, 0.45, count) * vivid, -0.7, 0.7)
        self.jitter = rng.uniform(0.02, 0.12)
        self.weight = rng.dirichlet(np.full(count, 0.8))

    def colour(self, rng, light=None):
        """One colour, shape (3,): near a random centre, or at the given lightness."""
        k = rng.choice(len(self.light), p=self.weight)
        level = (
            np.clip(self.light[k] + rng.normal(0, self.jitter), 0.02, 1) if light is None else light
        )
        chroma = (self.yellow_blue[k] + rng.normal(0, 0.02)) * YELLOW_BLUE
        chroma = chroma + (self.red_green[k] + rng.normal(0, 0.015)) * RED_GREEN
        return np.clip(level * (1 + chroma), 0, 1).astype(np.float32)

    def family(self, rng):
        """The colours of one region: mostly around one centre, varied in lightness."""
        region = copy(self)
        region.weight = rng.dirichlet(np.full(len(self.light), 0.4))
        region.jitter = rng.uniform(0.05, 0.25)
        return region
