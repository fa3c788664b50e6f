"""Validation: ε-loss by noise level on held-out scenes and on photographs, and denoising PSNR.

python validation.py --out DIR --photographs FOLDER WEIGHTS [WEIGHTS ...]
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from network import ALPHA_BAR, Prior, load_weights, noised
from photographs import photographs
from scenes import cached

LEVELS = [5, 20, 50, 100, 200, 350, 500, 700, 900]
SIGMAS = [0.05, 0.1, 0.2, 0.5]  # noise on the range [-1,1]
HELD_OUT = 9_000_000  # the first scene that training never reaches


def crops(images, side):
    """The four quarters' central squares of bytes (n, h, w, 3): (4n, 3, side, side) in [-1,1]."""
    n, h, w, _ = images.shape
    starts = [(y, x) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]
    cut = [
        images[:, y - side // 2 : y + side // 2, x - side // 2 : x + side // 2] for y, x in starts
    ]
    return torch.from_numpy(np.concatenate(cut)).permute(0, 3, 1, 2).float() / 127.5 - 1


def loss_by_level(net, x0, seed=0):
    """Mean squared error of ε at each of LEVELS for clean patches x0, with fixed noise."""
    noise = torch.from_numpy(
        np.random.default_rng([seed, 1]).standard_normal(x0.shape, dtype=np.float32)
    )
    out = []
    device = next(net.parameters()).device
    x0, noise = x0.to(device), noise.to(device)
    with torch.no_grad():
        for t in LEVELS:
            steps = torch.full((len(x0),), t, device=device)
            eps = torch.cat([
                net(noised(x, s, n), s.float())
                for x, s, n in zip(x0.split(16), steps.split(16), noise.split(16))
            ])  # fmt: skip
            out.append((eps - noise).square().mean().item())
    return out


def validate(net, cache, folder=None):
    """Rows (set, t, loss): four 64-pixel patches of every held-out scene and photograph."""
    sets = {
        'scenes': np.stack([cached(cache, HELD_OUT + k)[128:384, 128:384] for k in range(10)]),
        'photographs': photographs(folder)[1],
    }
    rows = []
    for name, images in sets.items():
        losses = loss_by_level(net, crops(images, 64))
        rows += [(name, t, f'{loss:.6f}') for t, loss in zip(LEVELS, losses)]
    return rows


def denoising(net, images, seed=0):
    """PSNR in dB of x̂₀ from one pass, by noise level: mean over images (n, h, w, 3)."""
    x0 = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    rng = np.random.default_rng([seed, 2])
    noise = torch.from_numpy(rng.standard_normal(x0.shape, dtype=np.float32))
    out = {}
    for sigma in SIGMAS:
        t = int(((1 - ALPHA_BAR) / ALPHA_BAR).sqrt().sub(sigma).abs().argmin())
        alpha_bar = ALPHA_BAR[t]
        errors = []
        with torch.no_grad():
            for clean, z in zip(x0.split(1), noise.split(1)):
                x = noised(clean, torch.tensor([t]), z)
                eps = net(x, torch.tensor([float(t)]))
                guess = ((x - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()).clamp(-1, 1)
                errors.append((guess - clean).square().mean().item())
        out[f'{sigma}'] = float(np.mean(10 * np.log10(4 / np.array(errors))))
    return out


def plot(folder):
    """Loss by noise level over the steps of a run, from its validation.csv, as loss.png."""
    import csv

    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    with open(folder / 'validation.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5))
    for axis, name in zip(axes, ('scenes', 'photographs')):
        for t in LEVELS:
            mine = [r for r in rows if r['set'] == name and int(r['t']) == t]
            first = float(mine[0]['loss'])
            axis.plot(
                [int(r['step']) for r in mine],
                [float(r['loss']) / first for r in mine],
                label=f't={t}',
            )
        axis.set(title=name, xlabel='step', ylabel='loss / loss at the first step')
    figure.legend(*axes[0].get_legend_handles_labels(), loc='center right')
    figure.tight_layout(rect=(0, 0, 0.9, 1))
    figure.savefig(folder / 'loss.png', dpi=90)


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--out', type=Path, required=True, help='the folder of a training run')
    p.add_argument('--photographs', help='a folder of further PNG photographs')
    p.add_argument('weights', nargs='+', help='.pt or .onnx; the figures are added to result.json')
    a = p.parse_args()
    torch.set_num_threads(1)
    names, images = photographs(a.photographs)
    file = a.out / 'result.json'
    result = json.loads(file.read_text()) if file.exists() else {'photographs': names, 'models': {}}
    for path in a.weights:
        net = Prior().eval()
        net.load_state_dict(load_weights(path))
        rows = validate(net, a.out / 'scenes', a.photographs)
        result['models'][Path(path).name] = {
            'loss': {
                s: {t: float(v) for name, t, v in rows if name == s}
                for s in ('scenes', 'photographs')
            },
            'denoising PSNR by sigma on [-1,1]': denoising(net, images),
        }
        file.write_text(json.dumps(result, indent=1) + '\n')
    if (a.out / 'validation.csv').exists():
        plot(a.out)


if __name__ == '__main__':
    main()
