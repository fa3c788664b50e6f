"""Guided-diffusion's networks (Dhariwal & Nichol 2021), written anew: names and mathematics of
`UNetModel`, `SuperResModel` and `EncoderUNetModel`, without training, half precision or checkpoints."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def norm(channels):
    return nn.GroupNorm(32, channels)


class Upsample(nn.Module):
    def __init__(self, channels, learned):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1) if learned else nn.Identity()

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Downsample(nn.Module):
    def __init__(self, channels, learned):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1) if learned else nn.AvgPool2d(2)

    def forward(self, x):
        return self.op(x)


class ResBlock(nn.Module):
    def __init__(self, channels, emb, out, scale_shift, resample=None):
        super().__init__()
        self.in_layers = nn.Sequential(norm(channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb, 2 * out if scale_shift else out))
        self.out_layers = nn.Sequential(norm(out), nn.SiLU(), nn.Dropout(0), nn.Conv2d(out, out, 3, padding=1))
        self.skip_connection = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)
        self.scale_shift = scale_shift
        self.resample = {"up": Upsample(0, False), "down": Downsample(0, False)}.get(resample, nn.Identity())

    def forward(self, x, emb):
        h = self.in_layers[2](self.resample(self.in_layers[1](self.in_layers[0](x))))
        e = self.emb_layers(emb)[..., None, None]
        if self.scale_shift:
            scale, shift = e.chunk(2, 1)
            h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        else:
            h = self.out_layers(h + e)
        return self.skip_connection(self.resample(x)) + h


def attention(qkv, heads, new_order):
    n, width, length = qkv.shape
    c = width // 3 // heads
    if new_order:
        q, k, v = (part.reshape(n * heads, c, length) for part in qkv.chunk(3, 1))
    else:
        q, k, v = qkv.reshape(n * heads, 3 * c, length).split(c, 1)
    scale = 1 / math.sqrt(math.sqrt(c))
    weight = torch.softmax(torch.einsum("bct,bcs->bts", q * scale, k * scale), -1)
    return torch.einsum("bts,bcs->bct", weight, v).reshape(n, -1, length)


class AttentionBlock(nn.Module):
    def __init__(self, channels, heads, new_order):
        super().__init__()
        self.norm, self.heads, self.new_order = norm(channels), heads, new_order
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        flat = x.flatten(2)
        h = attention(self.qkv(self.norm(flat)), self.heads, self.new_order)
        return (flat + self.proj_out(h)).reshape(x.shape)


class AttentionPool(nn.Module):
    def __init__(self, side, channels, heads, out):
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.randn(channels, side**2 + 1) / channels**0.5)
        self.qkv_proj = nn.Conv1d(channels, 3 * channels, 1)
        self.c_proj = nn.Conv1d(channels, out, 1)
        self.heads = heads

    def forward(self, x):
        x = x.flatten(2)
        x = torch.cat([x.mean(-1, keepdim=True), x], -1) + self.positional_embedding
        return self.c_proj(attention(self.qkv_proj(x), self.heads, True))[:, :, 0]


class Block(nn.Sequential):
    def forward(self, x, emb):
        for layer in self:
            x = layer(x, emb) if isinstance(layer, ResBlock) else layer(x)
        return x


class Guided(nn.Module):
    """`pool`: None for the whole UNet, `attention` or `adaptive` for a classifier."""

    def __init__(
        self, *, size, inputs=3, out=3, width=32, mult=(1, 1), blocks=1, attend=(1,), updown=True,
        learned=True, scale_shift=True, classes=None, new_order=False, pool=None,
        heads=lambda channels: channels // 64,
    ):
        super().__init__()
        emb = 4 * width
        self.width = width
        self.time_embed = nn.Sequential(nn.Linear(width, emb), nn.SiLU(), nn.Linear(emb, emb))
        if classes:
            self.label_emb = nn.Embedding(classes, emb)

        def res(c, o, resample=None):
            return ResBlock(c, emb, o, scale_shift, resample)

        def attn(c):
            return AttentionBlock(c, heads(c), new_order)

        ch = int(mult[0] * width)
        first, skips, levels = ch, [ch], len(mult)
        self.input_blocks = nn.ModuleList([Block(nn.Conv2d(inputs, ch, 3, padding=1))])
        for level, m in enumerate(mult):
            for _ in range(blocks):
                layers = [res(ch, int(m * width))]
                ch = int(m * width)
                self.input_blocks.append(Block(*layers, *([attn(ch)] if level in attend else [])))
                skips.append(ch)
            if level < levels - 1:
                self.input_blocks.append(Block(res(ch, ch, "down") if updown else Downsample(ch, learned)))
                skips.append(ch)
        self.middle_block = Block(res(ch, ch), attn(ch), res(ch, ch))
        self.pool = pool
        if pool == "attention":
            side = size // 2 ** (levels - 1)
            self.out = nn.Sequential(norm(ch), nn.SiLU(), AttentionPool(side, ch, heads(ch), out))
            return
        if pool == "adaptive":
            self.out = nn.Sequential(
                norm(ch), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(ch, out, 1), nn.Flatten()
            )
            return
        self.output_blocks = nn.ModuleList()
        for level, m in reversed(list(enumerate(mult))):
            for i in range(blocks + 1):
                layers = [res(ch + skips.pop(), int(m * width))]
                ch = int(m * width)
                layers += [attn(ch)] if level in attend else []
                if level and i == blocks:
                    layers.append(res(ch, ch, "up") if updown else Upsample(ch, learned))
                self.output_blocks.append(Block(*layers))
        self.out = nn.Sequential(norm(ch), nn.SiLU(), nn.Conv2d(first, out, 3, padding=1))

    def forward(self, x, t, y=None, low_res=None):
        if low_res is not None:
            x = torch.cat([x, F.interpolate(low_res, x.shape[2:], mode="bilinear")], 1)
        half = self.width // 2
        freqs = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
        args = t[:, None].float() * freqs
        emb = self.time_embed(torch.cat([args.cos(), args.sin()], -1))
        if y is not None:
            emb = emb + self.label_emb(y)
        h, hs = x, []
        for block in self.input_blocks:
            h = block(h, emb)
            hs.append(h)
        h = self.middle_block(h, emb)
        if self.pool is None:
            for block in self.output_blocks:
                h = block(torch.cat([h, hs.pop()], 1), emb)
        return self.out(h)
