"""The ε-network: a small fully convolutional U-Net on 2x2 pixel blocks, and its noise schedule."""

import math

import torch
import torch.nn.functional as F
from torch import nn

STEPS = 1000
ALPHA_BAR = torch.cumprod(1 - torch.linspace(1e-4, 0.02, STEPS, dtype=torch.float64), 0).float()


def time_features(t, size=128):
    """Cosines and sines of t (n,) at `size`/2 frequencies from 1 to 1/10000, shape (n, size)."""
    half = size // 2
    angles = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half, device=t.device) / half)
    return torch.cat([angles.cos(), angles.sin()], 1)


class Residual(nn.Module):
    """Two 3x3 convolutions; the time embedding scales and shifts between them."""

    def __init__(self, inputs, outputs, embedding):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time = nn.Linear(embedding, 2 * outputs)
        self.norm2 = nn.GroupNorm(8, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x, embedding):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.time(embedding)[:, :, None, None].chunk(2, 1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(h))


class Prior(nn.Module):
    """ε(x_t, t): x (n, 3, h, w) in [-1,1] plus noise, h and w multiples of 8; t (n,) in 0..999."""

    def __init__(self, widths=(64, 128, 192), blocks=2, embedding=256):
        super().__init__()
        self.time = nn.Sequential(
            nn.Linear(128, embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU()
        )
        self.stem = nn.Conv2d(12, widths[0], 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        channels = widths[0]
        for width in widths:
            inputs = [channels] + [width] * (blocks - 1)
            self.down.append(nn.ModuleList(Residual(i, width, embedding) for i in inputs))
            channels = width
            if width != widths[-1]:
                self.shrink.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
        self.middle = nn.ModuleList(Residual(channels, channels, embedding) for _ in range(2))
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for width in reversed(widths):
            inputs = [channels + width] + [width] * (blocks - 1)
            self.up.append(nn.ModuleList(Residual(i, width, embedding) for i in inputs))
            channels = width
            if width != widths[0]:
                self.grow.append(nn.Conv2d(width, width, 3, padding=1))
        self.out_norm = nn.GroupNorm(8, channels)
        self.out = nn.Conv2d(channels, 12, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x, t):
        embedding = self.time(time_features(t))
        h, skips = self.stem(F.pixel_unshuffle(x, 2)), []
        for level, blocks in enumerate(self.down):
            for block in blocks:
                h = block(h, embedding)
            skips.append(h)
            if level < len(self.shrink):
                h = self.shrink[level](h)
        for block in self.middle:
            h = block(h, embedding)
        for level, blocks in enumerate(self.up):
            h = torch.cat([h, skips.pop()], 1)
            for block in blocks:
                h = block(h, embedding)
            if level < len(self.grow):
                h = self.grow[level](F.interpolate(h, scale_factor=2.0, mode='nearest'))
        return F.pixel_shuffle(self.out(F.silu(self.out_norm(h))), 2)


def noised(x0, t, noise):
    """x_t of clean images x0 (n, 3, h, w) at integer timesteps t (n,)."""
    alpha_bar = ALPHA_BAR.to(t.device)[t][:, None, None, None]
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise


# Names in the first prior's files, whose trainer predates this one.
_RENAMED = {
    't': 'time', 'i': 'stem', 'dn': 'down', 'dd': 'shrink', 'm': 'middle', 'up': 'up', 'uu': 'grow',
    'on': 'out_norm', 'o': 'out', 'n1': 'norm1', 'c1': 'conv1', 'e': 'time', 'n2': 'norm2',
    'c2': 'conv2', 'k': 'skip',
}  # fmt: skip


def onnx_weights(path):
    """The weights in an exported .onnx by name. The exporter drops the names of the group norms'
    scales and shifts, (c, 1, 1) each: they are used in the order of the modules."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    tensors = {t.name: torch.tensor(numpy_helper.to_array(t)).float() for t in graph.initializer}
    affine = [n for node in graph.node for n in node.input if n in tensors and tensors[n].ndim == 3]
    names = [n for n in Prior().state_dict() if 'norm' in n]
    weights = {name.removesuffix('.half'): tensor for name, tensor in tensors.items()}
    return weights | {n: tensors[a].flatten() for n, a in zip(names, affine, strict=True)}


def load_weights(path):
    """The weights of a .pt file (EMA weights or a checkpoint) or of an exported .onnx, by name."""
    if str(path).endswith('.onnx'):
        state = onnx_weights(path)
    else:
        state = torch.load(path, 'cpu', weights_only=False)
        state = state.get('ema', state)
    if 'stem.weight' not in state:
        state = {
            '.'.join(_RENAMED.get(p, p) for p in name.split('.')): v for name, v in state.items()
        }
    known = Prior().state_dict()
    return {name: value for name, value in state.items() if name in known}
