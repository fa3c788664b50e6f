"""The network of DDPM (Ho et al. 2020) in PyTorch, written anew: names and mathematics of the `Model` that
DDIM's code has, without dropout."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


class Block(nn.Module):
    def __init__(self, a, b, temb):
        super().__init__()
        self.norm1, self.conv1 = norm(a), nn.Conv2d(a, b, 3, padding=1)
        self.temb_proj = nn.Linear(temb, b)
        self.norm2, self.conv2 = norm(b), nn.Conv2d(b, b, 3, padding=1)
        if a != b:
            self.nin_shortcut = nn.Conv2d(a, b, 1)

    def forward(self, x, temb):
        h = self.conv1(F.silu(self.norm1(x))) + self.temb_proj(F.silu(temb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = norm(c)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(c, c, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2) for layer in (self.q, self.k, self.v))
        weight = torch.softmax(torch.einsum("bci,bcj->bij", q, k) / math.sqrt(x.shape[1]), -1)
        return x + self.proj_out(torch.einsum("bij,bcj->bci", weight, v).reshape(x.shape))


class Resample(nn.Module):
    def __init__(self, c, stride):
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, stride, padding=0 if stride == 2 else 1)
        self.stride = stride

    def forward(self, x):
        if self.stride == 2:
            return self.conv(F.pad(x, (0, 1, 0, 1)))
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Ddpm(nn.Module):
    def __init__(self, *, width=32, mult=(1, 2), blocks=1, attend=(1,)):
        super().__init__()
        self.width, temb, levels = width, 4 * width, len(mult)
        self.temb = nn.Module()
        self.temb.dense = nn.ModuleList([nn.Linear(width, temb), nn.Linear(temb, temb)])
        self.conv_in = nn.Conv2d(3, width, 3, padding=1)
        c, skips = width, [width]
        self.down, self.mid, self.up = nn.ModuleList(), nn.Module(), nn.ModuleList()

        def level(i, inputs, out):
            made = nn.Module()
            made.block = nn.ModuleList(Block(a, out, temb) for a in inputs)
            made.attn = nn.ModuleList(Attention(out) for _ in inputs if i in attend)
            return made

        for i, m in enumerate(mult):
            out = m * width
            down = level(i, [c] + [out] * (blocks - 1), out)
            c = out
            skips += [c] * blocks
            if i < levels - 1:
                down.downsample = Resample(c, 2)
                skips.append(c)
            self.down.append(down)
        self.mid.block_1, self.mid.attn_1, self.mid.block_2 = Block(c, c, temb), Attention(c), Block(c, c, temb)
        for i, m in reversed(list(enumerate(mult))):
            out = m * width
            ins = [c + skips.pop()] + [out + skips.pop() for _ in range(blocks)]
            up = level(i, ins, out)
            c = out
            if i:
                up.upsample = Resample(c, 1)
            self.up.insert(0, up)
        self.norm_out, self.conv_out = norm(c), nn.Conv2d(c, 3, 3, padding=1)

    def forward(self, x, t):
        half = self.width // 2
        freqs = torch.exp(torch.arange(half, dtype=torch.float32) * -(math.log(10000) / (half - 1)))
        args = t.float()[:, None] * freqs
        temb = self.temb.dense[0](torch.cat([args.sin(), args.cos()], 1))
        temb = self.temb.dense[1](F.silu(temb))
        hs = [self.conv_in(x)]
        for down in self.down:
            for j, block in enumerate(down.block):
                h = block(hs[-1], temb)
                hs.append(down.attn[j](h) if len(down.attn) else h)
            if hasattr(down, "downsample"):
                hs.append(down.downsample(hs[-1]))
        h = self.mid.block_2(self.mid.attn_1(self.mid.block_1(hs[-1], temb)), temb)
        for up in reversed(self.up):
            for j, block in enumerate(up.block):
                h = block(torch.cat([h, hs.pop()], 1), temb)
                h = up.attn[j](h) if len(up.attn) else h
            if hasattr(up, "upsample"):
                h = up.upsample(h)
        return self.conv_out(F.silu(self.norm_out(h)))
