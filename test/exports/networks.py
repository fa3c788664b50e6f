"""Small networks of the classes whose exports are tested: the structure of the real ones, few channels."""

import torch
from torch import nn
from torch.nn import functional as F


def conv_bn(a, b, kernel=3, stride=1, dilation=1, groups=1):
    pad = dilation * (kernel // 2)
    conv = nn.Conv2d(a, b, kernel, stride, pad, dilation, groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(b), nn.ReLU())


class SqueezeExcite(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, c // 4, 1), nn.ReLU(), nn.Conv2d(c // 4, c, 1)
        )

    def forward(self, x):
        return x * self.fc(x).sigmoid()


class IrBlock(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(a),
            nn.Conv2d(a, b, 3, 1, 1, bias=False),
            nn.PReLU(b),
            nn.Conv2d(b, b, 3, stride, 1, bias=False),
            nn.BatchNorm2d(b),
            SqueezeExcite(b),
        )
        if a == b:
            self.shortcut = nn.MaxPool2d(1, stride)
        else:
            self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b))

    def forward(self, x):
        return self.residual(x) + self.shortcut(x)


class ArcFace(nn.Module):
    """IR-SE50: improved residual blocks with PReLU, and an embedding of length 1."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.PReLU(16))
        self.body = nn.Sequential(IrBlock(16, 16, 2), IrBlock(16, 16, 1), IrBlock(16, 32, 2))
        self.head = nn.Sequential(
            nn.BatchNorm2d(32), nn.Dropout(), nn.Flatten(), nn.Linear(32 * 64, 24), nn.BatchNorm1d(24)
        )

    def forward(self, x):
        return F.normalize(self.head(self.body(self.stem(x))))


class Vgg(nn.Module):
    def __init__(self):
        super().__init__()
        layers, c = [], 3
        for width in (8, "M", 16, "M", 16, 16, "M"):
            if width == "M":
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers += [nn.Conv2d(c, width, 3, padding=1), nn.ReLU(True)]
                c = width
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2))
        self.classifier = nn.Sequential(nn.Linear(64, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, 10))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


class Bottleneck(nn.Module):
    def __init__(self, a, width, stride=1, dilation=1):
        super().__init__()
        self.body = nn.Sequential(
            conv_bn(a, width, 1),
            conv_bn(width, width, 3, stride, dilation),
            nn.Conv2d(width, 4 * width, 1, bias=False),
            nn.BatchNorm2d(4 * width),
        )
        self.down = nn.Sequential(
            nn.Conv2d(a, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
        )

    def forward(self, x):
        return F.relu(self.body(x) + self.down(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 8, 7, 2), nn.MaxPool2d(3, 2, 1))
        self.body = nn.Sequential(Bottleneck(8, 8), Bottleneck(32, 8, 2))
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        return self.fc(self.body(self.stem(x)).mean((2, 3)))


class Deeplab(nn.Module):
    """Dilated bottlenecks, atrous pyramid pooling, up by bilinear interpolation."""

    def __init__(self):
        super().__init__()
        self.low = conv_bn(3, 8, 3, 2)
        self.body = nn.Sequential(Bottleneck(8, 4, 2), Bottleneck(16, 4, 1, 2))
        self.branches = nn.ModuleList([conv_bn(16, 8, 1), *(conv_bn(16, 8, 3, 1, d) for d in (2, 4))])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv_bn(16, 8, 1))
        self.mix = conv_bn(32 + 8, 8)
        self.out = nn.Conv2d(8, 5, 1)

    def forward(self, x):
        low = self.low(x)
        deep = self.body(low)
        pooled = F.interpolate(self.pool(deep), size=deep.shape[2:], mode="bilinear", align_corners=False)
        deep = torch.cat([*(b(deep) for b in self.branches), pooled], 1)
        deep = F.interpolate(deep, size=low.shape[2:], mode="bilinear", align_corners=False)
        y = self.out(self.mix(torch.cat([deep, low], 1)))
        return F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=True)


class Bisenet(nn.Module):
    """A spatial path, a context path with attention refinement, and their fusion."""

    def __init__(self):
        super().__init__()
        self.spatial = nn.Sequential(conv_bn(3, 8, 7, 2), conv_bn(8, 8, 3, 2))
        self.context = nn.Sequential(conv_bn(3, 8, 3, 2), conv_bn(8, 8, 3, 2), conv_bn(8, 8, 3, 2))
        self.attention = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8), nn.Sigmoid())
        self.fuse = conv_bn(16, 8, 1)
        self.gate = nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1), nn.Sigmoid())
        self.out = nn.Conv2d(8, 5, 1)

    def forward(self, x):
        context = self.context(x)
        context = context * self.attention(context.mean((2, 3), keepdim=True))
        context = F.interpolate(context, scale_factor=2.0, mode="nearest")
        fused = self.fuse(torch.cat([self.spatial(x), context], 1))
        fused = fused + fused * self.gate(F.adaptive_avg_pool2d(fused, 1))
        return F.interpolate(self.out(fused), scale_factor=4.0, mode="bilinear", align_corners=False)


class EfficientAttention(nn.Module):
    def __init__(self, c, reduction):
        super().__init__()
        self.q, self.kv, self.proj = nn.Linear(c, c), nn.Linear(c, 2 * c), nn.Linear(c, c)
        self.reduce, self.norm = nn.Conv2d(c, c, reduction, reduction), nn.LayerNorm(c)

    def forward(self, x, h, w):
        n, length, c = x.shape
        q = self.q(x).reshape(n, length, 2, c // 2).transpose(1, 2)
        small = self.reduce(x.transpose(1, 2).reshape(n, c, h, w)).flatten(2).transpose(1, 2)
        kv = self.kv(self.norm(small)).reshape(n, -1, 2, 2, c // 2).permute(2, 0, 3, 1, 4)
        scores = (q @ kv[0].transpose(-2, -1)) * (c // 2) ** -0.5
        return self.proj((scores.softmax(-1) @ kv[1]).transpose(1, 2).reshape(n, length, c))


class MixBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(c), nn.LayerNorm(c)
        self.attention = EfficientAttention(c, 2)
        self.fc1, self.fc2 = nn.Linear(c, 2 * c), nn.Linear(2 * c, c)
        self.depthwise = nn.Conv2d(2 * c, 2 * c, 3, 1, 1, groups=2 * c)

    def forward(self, x, h, w):
        x = x + self.attention(self.norm1(x), h, w)
        y = self.fc1(self.norm2(x)).transpose(1, 2).unflatten(2, (h, w))
        return x + self.fc2(F.gelu(self.depthwise(y).flatten(2).transpose(1, 2)))


class Segformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.ModuleList([nn.Conv2d(3, 16, 7, 4, 3), nn.Conv2d(16, 24, 3, 2, 1)])
        self.norms = nn.ModuleList([nn.LayerNorm(16), nn.LayerNorm(24)])
        self.blocks = nn.ModuleList([MixBlock(16), MixBlock(24)])
        self.heads = nn.ModuleList([nn.Linear(16, 16), nn.Linear(24, 16)])
        self.out = nn.Conv2d(32, 5, 1)

    def forward(self, x):
        maps = []
        for embed, norm, block, head in zip(self.embed, self.norms, self.blocks, self.heads):
            x = embed(x)
            n, c, h, w = x.shape
            x = block(norm(x.flatten(2).transpose(1, 2)), h, w)
            maps.append(head(x).transpose(1, 2).reshape(n, 16, h, w))
            x = x.transpose(1, 2).reshape(n, c, h, w)
        up = F.interpolate(maps[1], size=maps[0].shape[2:], mode="bilinear", align_corners=False)
        return self.out(torch.cat([maps[0], up], 1))


class ClipBlock(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(c), nn.LayerNorm(c)
        self.qkv, self.proj = nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.fc1, self.fc2 = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)

    def forward(self, x):
        n, length, c = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(n, length, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, c)
        x = x + self.proj(y)
        y = self.fc1(self.norm2(x))
        return x + self.fc2(y * torch.sigmoid(1.702 * y))


class ClipVision(nn.Module):
    def __init__(self, c=32):
        super().__init__()
        self.patch = nn.Conv2d(3, c, 8, 8, bias=False)
        self.token = nn.Parameter(torch.randn(c))
        self.position = nn.Parameter(torch.randn(17, c))
        self.norm1, self.norm2 = nn.LayerNorm(c), nn.LayerNorm(c)
        self.blocks = nn.Sequential(ClipBlock(c, 4), ClipBlock(c, 4))
        self.proj = nn.Parameter(torch.randn(c, 16) / 6)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], 1, -1), x], 1) + self.position
        x = self.norm2(self.blocks(self.norm1(x))[:, 0]) @ self.proj
        return x / x.norm(dim=-1, keepdim=True)


class Wide(nn.GroupNorm):
    """Normalization in float32 within a float16 network."""

    def forward(self, x):
        return super().forward(x.float()).to(x.dtype)


class ResBlock(nn.Module):
    def __init__(self, a, b, time, norm):
        super().__init__()
        self.norm1, self.norm2 = norm(4, a), norm(4, b)
        self.conv1, self.conv2 = nn.Conv2d(a, b, 3, 1, 1), nn.Conv2d(b, b, 3, 1, 1)
        self.time = nn.Linear(time, 2 * b)
        self.skip = nn.Conv2d(a, b, 1) if a != b else nn.Identity()

    def forward(self, x, emb):
        scale, shift = self.time(F.silu(emb))[:, :, None, None].chunk(2, 1)
        y = self.conv1(F.silu(self.norm1(x)))
        y = self.norm2(y) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(y))


class SelfAttention(nn.Module):
    def __init__(self, c, norm):
        super().__init__()
        self.norm, self.qkv, self.proj = norm(4, c), nn.Conv1d(c, 3 * c, 1), nn.Conv1d(c, c, 1)

    def forward(self, x):
        n, c = x.shape[:2]
        q, k, v = self.qkv(self.norm(x).flatten(2)).chunk(3, 1)
        scores = torch.einsum("bct,bcs->bts", q, k) * c**-0.5
        y = torch.einsum("bts,bcs->bct", scores.float().softmax(-1).to(v.dtype), v)
        return x + self.proj(y).reshape(x.shape)


class UNet(nn.Module):
    """A noise predictor: sinusoidal timestep, two levels, attention, skips.

    The timestep may be a number or one an image, of any type. With `mixed`, convolutions are in
    float16 and normalization, input and output in float32.
    """

    def __init__(self, c=16, mixed=False):
        super().__init__()
        self.c, self.mixed = c, mixed
        norm = Wide if mixed else nn.GroupNorm
        self.time = nn.Sequential(nn.Linear(c, 32), nn.SiLU(), nn.Linear(32, 32))
        self.stem = nn.Conv2d(3, c, 3, 1, 1)
        self.enter = ResBlock(c, c, 32, norm)
        self.down = nn.Conv2d(c, c, 3, 2, 1)
        self.middle = ResBlock(c, 2 * c, 32, norm)
        self.attention = SelfAttention(2 * c, norm)
        self.up = nn.Conv2d(2 * c, c, 3, 1, 1)
        self.leave = ResBlock(2 * c, c, 32, norm)
        self.norm, self.out = norm(4, c), nn.Conv2d(c, 3, 3, 1, 1)
        if mixed:
            self.half()
            for module in self.modules():
                if isinstance(module, nn.GroupNorm):
                    module.float()

    def forward(self, x, t):
        given, dtype = x.dtype, self.stem.weight.dtype
        t = t.reshape(-1).expand(x.shape[0])
        rates = torch.exp(-9.2 * torch.arange(self.c // 2) / (self.c // 2))
        angles = t.float()[:, None] * rates[None]
        emb = self.time(torch.cat([angles.cos(), angles.sin()], 1).to(dtype))
        x = self.enter(self.stem(x.to(dtype)), emb)
        y = self.attention(self.middle(self.down(x), emb))
        y = self.up(F.interpolate(y, scale_factor=2.0, mode="nearest"))
        y = self.leave(torch.cat([y, x], 1), emb)
        return self.out(F.silu(self.norm(y))).to(given)


class VariationalEncoder(nn.Module):
    """The mean of AutoencoderKL's encoder: down-sampling pads below and right only."""

    def __init__(self, c=16):
        super().__init__()
        self.stem = nn.Conv2d(3, c, 3, 1, 1)
        self.norm1, self.norm2 = nn.GroupNorm(4, c), nn.GroupNorm(4, c)
        self.down = nn.Conv2d(c, c, 3, 2)
        self.attention = SelfAttention(c, nn.GroupNorm)
        self.out = nn.Conv2d(c, 8, 3, 1, 1)

    def forward(self, x):
        x = F.silu(self.norm1(self.stem(x)))
        x = self.attention(self.down(F.pad(x, (0, 1, 0, 1))))
        return self.out(F.silu(self.norm2(x))).chunk(2, 1)[0]


class Chunks(nn.Module):
    """chunk, split, unbind and stack: sequences, where an export is not optimised."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 12, 3, padding=1)
        self.norm = nn.GroupNorm(3, 12)

    def forward(self, x):
        a, b, c = nn.functional.silu(self.norm(self.conv(x))).chunk(3, dim=1)
        d, e = torch.split(torch.cat([a, b, c], 1), [5, 7], dim=1)
        return a * b + torch.stack(torch.unbind(c, dim=1), 1) * d[:, :4] + e[:, :4]
