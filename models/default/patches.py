"""Batches of augmented patches, cut from a sliding window over an endless sequence of scenes."""

import numpy as np
import torch

from scenes import SIZE, cached

WINDOW = 256  # scenes a step may draw from


def reductions(taken, side):
    """Matrices (n, side, 2 side) that reduce the first `taken` (n,) of 2 side samples to `side`: a
    triangle as wide as the scale, which is bilinear interpolation with antialiasing."""
    scale = (taken / side)[:, None, None]
    source = torch.arange(2 * side, device=taken.device) + 0.5
    target = torch.arange(side, device=taken.device)[:, None] + 0.5
    weights = (1 - (source - target * scale).abs() / scale).clamp(min=0)
    weights = weights * (source < taken[:, None, None])
    return weights / weights.sum(2, keepdim=True)


def either(chosen, yes, no):
    """`yes` for the patches that are chosen (n,), `no` for the others."""
    return torch.where(chosen.view(-1, *[1] * (no.ndim - 1)), yes, no)


def timesteps(rng, count, steps, power):
    """Stratified timesteps (count,): steps u^power, u uniform. Above 1: more at low noise."""
    u = (np.arange(count) + rng.random(count)) / count
    return (rng.permutation(u) ** power * steps).astype(np.int64)


class Patches:
    """Clean patches by step; the scenes of the window are kept on the device.

    `first` is the scene that the window starts at, `fresh` how many enter and leave it at a step.
    """

    def __init__(self, cache, first, fresh, device):
        self.cache, self.first, self.fresh, self.device = cache, first, fresh, device
        self.scenes = torch.empty(WINDOW, SIZE, SIZE, 3, dtype=torch.uint8, device=device)
        self.held = np.full(WINDOW, -1)

    def slots(self, indices):
        """Where the scenes of these numbers lie; they are loaded, or drawn, when they are not there."""
        for index in np.unique(indices):
            slot = index % WINDOW
            if self.held[slot] != index:
                self.scenes[slot] = torch.from_numpy(cached(self.cache, index).copy())
                self.held[slot] = index
        return indices % WINDOW

    def put(self, values, dtype=None):
        """An array of NumPy on the device."""
        return torch.from_numpy(np.asarray(values)).to(self.device, dtype)

    def cut(self, slots, corners, taken, turns, side):
        """Squares of `taken` (n,) pixels from `corners` (2, n) of scenes, reduced to (n, 3, side, side) in
        [-1,1]; `turns` (3, n) says which are flipped up, sideways, and across the diagonal."""
        slots, corners, taken, turns = map(self.put, (slots, corners, taken, turns))
        reach = torch.arange(2 * side, device=self.device)
        y, x = (corners[:, :, None] + reach).clamp(max=SIZE - 1)
        pixels = self.scenes[slots[:, None, None], y[:, :, None], x[:, None, :]].float() / 127.5 - 1
        weights = reductions(taken, side)
        rows, columns = [either(turned, weights.flip(1), weights) for turned in turns[:2]]
        lines = torch.bmm(rows, pixels.flatten(2)).unflatten(2, (2 * side, 3)).permute(0, 3, 1, 2)
        patches = lines @ columns.transpose(1, 2)[:, None]
        return either(turns[2], patches.transpose(2, 3), patches)

    def at(self, rng, step, count, side):
        """`count` patches (count, 3, side, side) in [-1,1], augmented, by a generator of NumPy.

        Scale: up to twice the patch is taken and reduced. Colour: contrast and brightness change a
        little, channels are permuted at times, some patches are made grey. Eight orientations.
        """
        start = self.first + int(step * self.fresh)
        slots = self.slots(rng.integers(start, start + WINDOW, count))
        taken = np.where(rng.random(count) < 0.5, 1, rng.uniform(1, 2, count)) * side
        taken = taken.astype(np.int64)
        corners = (rng.random((2, count)) * (SIZE - taken + 1)).astype(np.int64)
        out = self.cut(slots, corners, taken, rng.random((3, count)) < 0.5, side)
        kind = rng.random(count)
        order = rng.permuted(np.tile(np.arange(3), (count, 1)), axis=1)
        order[kind >= 0.1] = [0, 1, 2]
        out = out.gather(1, self.put(order)[:, :, None, None].expand_as(out))
        grey = self.put((kind >= 0.1) & (kind < 0.15))
        out = either(grey, out.mean(1, keepdim=True), out)
        gain, offset = rng.uniform(0.8, 1.1, count), rng.normal(0, 0.05, count)
        gain, offset = [self.put(v, torch.float32)[:, None, None, None] for v in (gain, offset)]
        return (out * gain + offset).clamp(-1, 1)

    def batch(self, seed, step, pixels, steps, power):
        """The clean patches, timesteps and noise of a step: a function of the arguments alone."""
        rng = np.random.default_rng([seed, step])
        side = 64 if rng.random() < 0.7 else 128
        count = pixels // side**2
        x0 = self.at(rng, step, count, side)
        t = self.put(timesteps(rng, count, steps, power))
        drawn = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        return x0, t, torch.randn(x0.shape, generator=drawn, device=self.device)
