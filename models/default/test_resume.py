"""Checks that a stopped and resumed training run equals an uninterrupted one bit for bit.

python test_resume.py CACHE    a cache folder of scenes.py; a few scenes are drawn if it is empty
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch


def train(folder, cache, *more):
    """Runs train.py for 6 steps on tiny batches and returns its checkpoint."""
    options = ['--steps', '6', '--warmup', '2', '--pixels', str(128 * 128), '--every', '0']
    program = [sys.executable, str(Path(__file__).parent / 'train.py')]
    subprocess.run([*program, '--out', folder, '--scenes', cache, *options, *more], check=True)
    return torch.load(Path(folder) / 'checkpoint.pt', weights_only=False)


def tensors(value, name=''):
    """All tensors in nested dicts and lists, by path."""
    if isinstance(value, torch.Tensor):
        return {name: value}
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else []
    )
    return {k: v for key, inner in items for k, v in tensors(inner, f'{name}/{key}').items()}


def main():
    cache = sys.argv[1]
    with tempfile.TemporaryDirectory() as straight, tempfile.TemporaryDirectory() as broken:
        whole = tensors(train(straight, cache))
        half = tensors(train(broken, cache, '--stop', '3'))
        resumed = tensors(train(broken, cache))
    moved = sum(not torch.equal(whole[k], half[k]) for k in whole)
    assert moved > 100, 'the steps after the stop changed nothing: the test proves nothing'
    different = [k for k in whole if not torch.equal(whole[k], resumed[k])]
    assert whole.keys() == resumed.keys() and not different, f'differ: {different[:5]}'
    print(f'{len(whole)} tensors equal bit for bit, {moved} of them moved after the stop')


if __name__ == '__main__':
    main()
