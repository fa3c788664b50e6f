"""Restorations of photographs by the prior beside untrained methods: a Markdown table.

    python compare.py WORK [--photographs FACES] [--samples 8] [--steps 100] [--model FILE] [OPTION...]

Photographs (photographs.py; never trained on) of 256x256 are degraded and restored by the project's
own command line, `npm run build` first. What is in WORK already is not made again. Each untrained
method is shown at its best setting for every image, by PSNR: it is told the truth, the prior is not.
Options that are not this program's own go to `dsg restore`: --device openvino --precision bf16, say.
"""

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity

import untrained
from photographs import photographs

ROOT = Path(__file__).resolve().parents[2]
TASKS = {'deblur': 'deblurring', 'sr': 'super-resolution x4', 'inpaint': 'inpainting, half of the pixels'}


def dsg(*words):
    """Runs the command line; its progress is shown."""
    subprocess.run(['node', ROOT / 'bin/dsg.js', *map(str, words)], check=True)


def psnr(image, clean):
    """In dB, of images in [-1,1]."""
    return 10 * np.log10(4 / np.mean((np.clip(image, -1, 1) - clean) ** 2))


def ssim(image, clean):
    """Wang et al. 2004, of images in [-1,1], worked out on [0,1]."""
    settings = {'gaussian_weights': True, 'sigma': 1.5, 'use_sample_covariance': False}
    x, y = (np.clip(image, -1, 1) + 1) / 2, (clean + 1) / 2
    return structural_similarity(x, y, data_range=1, channel_axis=2, **settings)


def slopes(image):
    """Sorted luma differences of neighbours, in [0,1]."""
    luma = (np.clip(image, -1, 1) + 1) / 2 @ np.array([0.299, 0.587, 0.114])
    return np.sort(np.concatenate([np.diff(luma, axis=k).ravel() for k in (0, 1)]))


def roughness(image, clean):
    """How far the gradients' distribution is from the original's: Wasserstein-1, in thousandths."""
    return 1000 * np.abs(slopes(image) - slopes(clean)).mean()


def load(path):
    """A picture (h, w, 3) in [-1,1]."""
    return np.asarray(Image.open(path).convert('RGB')) / 127.5 - 1


def half_mask(file, size=256):
    """Writes a mask that keeps half of the pixels, at random."""
    kept = np.random.default_rng(0).permutation(size * size) % 2
    Image.fromarray((255 * kept).astype(np.uint8).reshape(size, size)).save(file)
    return file


def measurement(folder, name, task):
    """What untrained methods are given of an image."""
    y = np.load(folder / f'{name}.npy')[0].transpose(1, 2, 0).astype(float)
    if task != 'inpaint':
        return (y,)
    record = json.loads((folder / f'{name}.operator.json').read_text())
    mask = np.asarray(Image.open(folder / record['operator']['mask']['file']).convert('L')) > 127
    return y, mask


def restorations(a, task, name, clean):
    """The measures of the prior: of one sample, on average, and of the mean of all.

    The mean of eight is foretold from fewer: the error of a mean of k is that of the posterior's mean
    and a k-th of the variance among samples.
    """
    folder = a.work / f'restored-{a.steps}' / task
    mean = load(folder / f'{name}.png')
    if a.samples == 1:
        return {'prior, one sample': measures(mean, clean)}
    samples = [load(file) for file in sorted((folder / f'{name}.samples').glob('*.png'))]
    found = {
        'prior, one sample': np.mean([measures(x, clean) for x in samples], 0).tolist(),
        f'prior, mean of {a.samples}': measures(mean, clean),
    }
    if a.samples < 8:
        variance = np.var(samples, 0, ddof=1).mean()
        error = 4 / 10 ** (psnr(mean, clean) / 10) + variance * (1 / 8 - 1 / a.samples)
        found['prior, mean of 8, foretold'] = [float(10 * np.log10(4 / error)), np.nan, np.nan]
    return found


def measures(image, clean):
    """PSNR, SSIM and roughness."""
    return [float(of(image, clean)) for of in (psnr, ssim, roughness)]


def scores(a, task, name, clean):
    """The measures of every method, at its best setting by PSNR."""
    file = a.work / 'untrained' / task / f'{name}.json'
    methods = {
        'deblur': untrained.deblurring,
        'sr': untrained.super_resolution,
        'inpaint': untrained.inpainting,
    }
    if not file.exists():
        best = {}
        for method, image in methods[task](*measurement(a.work / 'measured' / task, name, task)):
            found = measures(image, clean)
            best[method] = max(best.get(method, found), found)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(best))
    best = json.loads(file.read_text())
    return best if a.untrained else best | restorations(a, task, name, clean)


def shown(value, digits):
    return '–' if np.isnan(value) else f'{value:.{digits}f}'


def parse():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('work', type=Path, help='folder for everything; what is there is kept')
    p.add_argument('--photographs', help='a folder of further PNG photographs, shown apart too')
    p.add_argument('--samples', type=int, default=8)
    p.add_argument('--steps', type=int, default=100)
    p.add_argument('--model', type=Path, help='instead of the one that comes with dsg')
    p.add_argument('--untrained', action='store_true', help='the untrained methods only')
    p.add_argument('--tasks', default=','.join(TASKS))
    return p.parse_known_args()


def main():
    a, further = parse()
    names, images = photographs(a.photographs)
    clean = a.work / 'clean'
    clean.mkdir(parents=True, exist_ok=True)
    for name, image in zip(names, images):
        Image.fromarray(image).save(clean / f'{name}.png')
    apart = len(names) - len(photographs()[0])
    for task in a.tasks.split(','):
        title = TASKS[task]
        measured = a.work / 'measured' / task
        if not measured.exists():
            mask = ['--mask', half_mask(a.work / 'half.png')] if task == 'inpaint' else []
            dsg('degrade', clean, '--task', task, *mask, '--format', 'npy', '-o', measured, '-q')
        if not a.untrained:
            more = ['--model', a.model] if a.model else []
            out = a.work / f'restored-{a.steps}' / task
            options = ['--steps', a.steps, '--samples', a.samples, '--resume', *more, *further]
            dsg('restore', measured, *options, '-o', out)
        rows = [scores(a, task, name, load(clean / f'{name}.png')) for name in names]
        columns = ['PSNR', 'SSIM', 'gradients']
        print(f'\n| {title} | {" | ".join(columns)} |' + (' faces alone |' if apart else ''))
        print('| --- |' + ' --- |' * (len(columns) + bool(apart)))
        for method in rows[0]:
            values = np.array([row[method] for row in rows])
            cells = [shown(v, digits) for v, digits in zip(values.mean(0), (2, 3, 1))]
            if apart:
                faces = zip(values[-apart:].mean(0), (2, 3, 1))
                cells.append(' / '.join(shown(v, digits) for v, digits in faces))
            print(f'| {method} |', ' | '.join(cells), '|', flush=True)


if __name__ == '__main__':
    main()
