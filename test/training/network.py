"""The ε-network of src/training/network.ts in PyTorch, with the same names."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    def __init__(self, inputs, outputs, embedding):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.embedding = nn.Linear(embedding, 2 * outputs)
        self.norm2 = nn.GroupNorm(8, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, embedding):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.embedding(embedding)[:, :, None, None].chunk(2, 1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.shortcut(x) + self.conv2(F.silu(h))


class Network(nn.Module):
    def __init__(self, width, levels, blocks=1, classes=None, channels=3):
        super().__init__()
        self.width = width
        length = 4 * width
        at = [width if level == 0 else 2 * width for level in range(levels)]
        self.time = nn.Sequential(nn.Linear(width, length), nn.SiLU(), nn.Linear(length, length))
        if classes is not None:
            setattr(self, 'class', nn.Embedding(classes + 1, length))
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.shrink = nn.ModuleList(
            nn.Conv2d(at[i], at[i], 3, stride=2, padding=1) for i in range(levels - 1)
        )
        self.grow = nn.ModuleList(
            nn.Conv2d(at[i + 1], at[i], 3, padding=1) for i in range(levels - 1)
        )
        last, self.down = width, nn.ModuleList()
        for c in at:
            self.down.append(
                nn.ModuleList(Residual(last if i == 0 else c, c, length) for i in range(blocks))
            )
            last = c
        self.middle = Residual(last, last, length)
        self.up = nn.ModuleList(
            nn.ModuleList(Residual(2 * c if i == 0 else c, c, length) for i in range(blocks))
            for c in at
        )
        # The last level's skip is as wide as what comes from below; so is each other, after `grow`.
        self.out = nn.ModuleDict(
            {'norm': nn.GroupNorm(8, width), 'conv': nn.Conv2d(width, channels, 3, padding=1)}
        )

    def forward(self, x, t, y=None):
        half = self.width // 2
        angles = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
        embedding = self.time(torch.cat([angles.cos(), angles.sin()], 1))
        if y is not None:
            embedding = embedding + getattr(self, 'class')(y)
        embedding = F.silu(embedding)
        h, skips = self.stem(x), []
        for level, blocks in enumerate(self.down):
            if level > 0:
                h = self.shrink[level - 1](h)
            for block in blocks:
                h = block(h, embedding)
            skips.append(h)
        h = self.middle(h, embedding)
        for level in reversed(range(len(self.up))):
            h = torch.cat([h, skips.pop()], 1)
            for block in self.up[level]:
                h = block(h, embedding)
            if level > 0:
                h = self.grow[level - 1](F.interpolate(h, scale_factor=2.0, mode='nearest'))
        return self.out['conv'](F.silu(self.out['norm'](h)))
