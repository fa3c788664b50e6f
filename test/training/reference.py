"""Trains the network of network.py with PyTorch, and keeps what trainer.test.ts compares with.

    python test/training/reference.py

Writes initial weights (in the order of their names), and of each run the losses of 50 steps and
every fifth of the averaged weights at its end. Everything random is drawn as src/training/draws.ts does.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
import torch

from network import Network

FOLDER = Path(__file__).parent / 'reference'
STEPS, BATCH, SIZE, CLASSES, T, SEED, RATE, EMA = 50, 4, 8, 3, 1000, 5, 2e-3, 0.9
RUNS = {
    'conditional': dict(classes=CLASSES, p=0.2, schedule='linear', decay=0.02, clip=0.5),
    'unconditional': dict(classes=None, p=0, schedule='cosine', decay=0, clip=None),
}


def philox(counters, key):
    """Philox4x32-10 of counters (n, 4)."""
    c = [counters[:, i].astype(np.uint64) for i in range(4)]
    k0, k1, low = np.uint64(key[0]), np.uint64(key[1]), np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k0, p1 & low, (p0 >> np.uint64(32)) ^ c[3] ^ k1, p0 & low]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return np.stack(c, 1)


def words(purpose, step, blocks):
    digest = hashlib.sha256(f'{SEED}\0training/{purpose}'.encode()).digest()
    key = [int.from_bytes(digest[i : i + 4], 'little') for i in (0, 4)]
    sample = 4  # number of the stream in src/tensor/noise.ts
    return philox(np.array([[i, step, sample, 0] for i in range(blocks)]), key)


def gaussian(purpose, step, shape):
    n = math.prod(shape)
    pairs = words(purpose, step, -(-n // 4)).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log((pairs[:, 0] + 0.5) / 2**32))
    angle = 2 * np.pi * pairs[:, 1] / 2**32
    values = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)
    return torch.from_numpy(values[:n].astype(np.float32)).reshape(shape)


def uniforms(purpose, step, n):
    w = words(purpose, step, -(-n // 2)).reshape(-1, 2)
    return ((w[:, 0] >> np.uint64(5)) * 2.0**26 + (w[:, 1] >> np.uint64(6)))[:n] / 2.0**53


def images(step):
    """Waves, each class with another frequency."""
    n, c, y, x = np.ogrid[0:BATCH, 0:3, 0:SIZE, 0:SIZE]
    n = n + step * BATCH
    waves = np.sin(0.7 * (n % CLASSES + 1) * x + 0.3 * n + c) * np.cos(0.5 * y)
    labels = (np.arange(BATCH) + step * BATCH) % CLASSES
    return torch.from_numpy(waves.astype(np.float32)), labels


def alpha_bars(schedule):
    if schedule == 'linear':
        return np.cumprod(1 - np.linspace(1e-4, 0.02, T))
    f = [math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(T + 1)]
    return np.cumprod([1 - min(1 - f[t + 1] / f[t], 0.999) for t in range(T)])


def initial():
    """PyTorch's own initial weights, but for the groups' scales, which would all be 1."""
    torch.manual_seed(0)
    net = Network(width=8, levels=2, classes=CLASSES)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if 'norm' in name:
                p.add_(0.1 * torch.randn_like(p))
    return net.state_dict()


def flat(values):
    return torch.cat([v.detach().reshape(-1) for v in values]).numpy()


def train(name, classes, p, schedule, decay, clip):
    net = Network(width=8, levels=2, classes=classes)
    net.load_state_dict({name: WEIGHTS[name] for name in net.state_dict()})
    parameters = dict(sorted(net.named_parameters()))
    average = [v.detach().clone() for v in parameters.values()]
    adam = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=decay)
    table = alpha_bars(schedule)
    losses = []
    for step in range(STEPS):
        x0, labels = images(step)
        noise = gaussian('noise', step, x0.shape)
        start = uniforms('timestep', step, 1)[0]
        t = np.floor((start + np.arange(BATCH) / BATCH) % 1 * T).astype(int)
        signal, level = (
            torch.from_numpy(np.sqrt(v).astype(np.float32))[:, None, None, None]
            for v in (table[t], 1 - table[t])
        )
        y = None
        if classes:
            y = torch.from_numpy(np.where(uniforms('label', step, BATCH) < p, classes, labels))
        eps = net(signal * x0 + level * noise, torch.from_numpy(t).float(), y)
        loss = torch.nn.functional.mse_loss(eps, noise)
        adam.zero_grad()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        adam.step()
        with torch.no_grad():
            for a, v in zip(average, parameters.values()):
                a.lerp_(v, 1 - min(EMA, (step + 1) / (step + 10)))
        losses.append(loss.item())
    np.save(FOLDER / f'{name}.losses.npy', np.array(losses, np.float32))
    # With groups of one channel, normalizing undoes a bias before it: its gradient is rounding
    # alone, which Adam makes into whole steps.
    undone = ('conv1.bias', 'up.0.0.conv2.bias', 'up.0.0.shortcut.bias')
    told = [a for n, a in zip(parameters, average) if not n.endswith(undone)]
    np.save(FOLDER / f'{name}.average.npy', flat(told)[::5])
    print(name, sum(v.numel() for v in parameters.values()), losses[0], losses[-1])


FOLDER.mkdir(exist_ok=True)
WEIGHTS = initial()
np.save(FOLDER / 'weights.npy', flat(v for _, v in sorted(WEIGHTS.items())))
for name, run in RUNS.items():
    train(name, **run)
