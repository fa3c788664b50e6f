"""Trains the default prior on generated scenes. See README.md for the runs made with it.

    python train.py --out DIR --steps N [--init WEIGHTS] [--until HH:MM] [--photographs FOLDER]

Everything random at a step is a function of the seed and the step, and the checkpoint holds
weights, EMA, optimiser and schedule: a run that was stopped goes on bit for bit (test_resume.py).
"""

import argparse
import csv
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from network import STEPS, Prior, load_weights, noised
from optimiser import optimiser_of
from scenes import cached
from validation import validate

WINDOW = 256  # scenes a step may draw from; the window slides over an endless sequence of scenes
FRESH = 0.25  # scenes that enter and leave it at each step
HEADER = ['step', 'side', 'loss', 'gradient norm', 'rate', 'seconds']


def patches(rng, cache, first, count, side):
    """`count` patches of scenes from `first` on as float32 (n, 3, side, side) in [-1,1], augmented.

    Scale: up to twice the patch is taken and reduced. Colour: contrast and brightness change a
    little, channels are permuted at times, some patches are made grey. Eight orientations.
    """
    out = []
    for index in rng.integers(first, first + WINDOW, count):
        picture = cached(cache, index)
        taken = side if rng.random() < 0.5 else int(side * rng.uniform(1, 2))
        y, x = rng.integers(0, picture.shape[0] - taken + 1, 2)
        patch = torch.from_numpy(picture[y : y + taken, x : x + taken].copy()).permute(2, 0, 1)[
            None
        ]
        patch = patch.float() / 127.5 - 1
        if taken != side:
            patch = F.interpolate(patch, (side, side), mode='bilinear', antialias=True)
        turn, flip = rng.integers(4), rng.random() < 0.5
        patch = torch.rot90(patch.flip(3) if flip else patch, int(turn), (2, 3))
        kind = rng.random()
        if kind < 0.1:
            patch = patch[:, rng.permutation(3).tolist()]
        elif kind < 0.15:
            patch = patch.mean(1, keepdim=True).expand(-1, 3, -1, -1)
        out.append(patch * rng.uniform(0.8, 1.1) + rng.normal(0, 0.05))
    return torch.cat(out).clamp(-1, 1)


def timesteps(rng, count, power):
    """Stratified timesteps (count,): STEPS u^power, u uniform. Above 1: more at low noise."""
    u = (np.arange(count) + rng.random(count)) / count
    return torch.from_numpy((rng.permutation(u) ** power * STEPS).astype(np.int64))


def batch(seed, step, cache, pixels, power, first):
    """The clean patches, timesteps and noise of a step: a function of the arguments alone."""
    rng = np.random.default_rng([seed, step])
    side = 64 if rng.random() < 0.7 else 128
    count = pixels // side**2
    x0 = patches(rng, cache, first + int(step * FRESH), count, side)
    noise = torch.from_numpy(rng.standard_normal(x0.shape, dtype=np.float32))
    return x0, timesteps(rng, count, power), noise


def learning_rate(a, step, done):
    """Linear warm-up, the peak for the share `hold` of the run, then half a cosine to 0.
    `done` is the share of the run that is over."""
    progress = np.clip((done - a.hold) / (1 - a.hold), 0, 1)
    return a.rate * min(1.0, (step + 1) / a.warmup) * 0.5 * (1 + np.cos(np.pi * progress))


def parse():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument(
        '--out', type=Path, required=True, help='checkpoint and logs; not in the repository'
    )
    p.add_argument('--scenes', type=Path, help='cache of scenes (default OUT/scenes)')
    p.add_argument('--first', type=int, default=0, help='first scene, beyond those of earlier runs')
    p.add_argument('--steps', type=int, required=True, help='the step at which the rate reaches 0')
    p.add_argument('--until', help='HH:MM: the clock sets the rate, and --steps is only the most')
    p.add_argument(
        '--init', help='weights to start from (.pt or .onnx) when there is no checkpoint'
    )
    p.add_argument('--stop', type=int, help='stop at this step as an interruption would')
    p.add_argument('--optimiser', choices=['adamw', 'muon'], default='muon')
    p.add_argument('--rate', type=float, default=4e-4)
    p.add_argument('--warmup', type=int, default=300)
    p.add_argument(
        '--hold', type=float, default=0.0, help='share of the run before the rate falls'
    )
    p.add_argument('--ema', type=float, default=0.9995)
    p.add_argument('--pixels', type=int, default=32 * 64 * 64, help='pixels a batch')
    p.add_argument(
        '--power', type=float, default=1.0, help='timesteps are T u^power; 1: uniform, 1.5: run 1'
    )
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--threads', type=int, default=1)
    p.add_argument(
        '--bfloat16', action='store_true', help='autocast; only on CPUs with AMX or AVX512-BF16'
    )
    p.add_argument('--every', type=int, default=500, help='steps between validations; 0: none')
    p.add_argument('--save', type=int, default=100, help='steps between checkpoints')
    p.add_argument(
        '--photographs', help='folder of PNG photographs to validate on besides the packaged'
    )
    return p.parse_args()


def moment(until):
    """The next time the clock shows HH:MM, in seconds since the epoch."""
    now = datetime.now()
    end = now.replace(hour=int(until[:2]), minute=int(until[3:]), second=0, microsecond=0)
    return (end if end > now else end + timedelta(days=1)).timestamp()


def appended(path, header, rows):
    """Appends rows to a CSV file, with the header when it is new."""
    new = not path.exists()
    with open(path, 'a', newline='') as file:
        csv.writer(file).writerows([header] * new + rows)


def resumed(a):
    """Network, EMA, optimiser and state of the run in a.out, or of a new one."""
    net, ema = Prior(), Prior()
    state = {'step': 0, 'began': time.time()}
    saved = None
    if (a.out / 'checkpoint.pt').exists():
        saved = torch.load(a.out / 'checkpoint.pt', weights_only=False)
        net.load_state_dict(saved['net'])
        ema.load_state_dict(saved['ema'])
        state = saved['state']
    else:
        if a.init:
            net.load_state_dict(load_weights(a.init))
        ema.load_state_dict(net.state_dict())
    net = net.to(memory_format=torch.channels_last)
    optimiser = optimiser_of(net, a.optimiser, a.rate)
    if saved:
        optimiser.load_state_dict(saved['optimiser'])
    return net, ema.requires_grad_(False), optimiser, state


def save(path, net, ema, optimiser, state):
    """Writes a checkpoint, whole or not at all."""
    parts = {'net': net, 'ema': ema, 'optimiser': optimiser}
    whole = {name: part.state_dict() for name, part in parts.items()} | {'state': state}
    torch.save(whole, path.with_suffix('.part'))
    path.with_suffix('.part').rename(path)


def advance(a, cache, net, ema, optimiser, state, done):
    """One training step in place, with the share `done` of the run over.
    Returns its row of the log, without the seconds."""
    step = state['step']
    rate = learning_rate(a, step, done)
    for group in optimiser.param_groups:
        group['lr'] = rate
    x0, t, noise = batch(a.seed, step, cache, a.pixels, a.power, a.first)
    x = noised(x0, t, noise).contiguous(memory_format=torch.channels_last)
    with torch.autocast('cpu', torch.bfloat16, enabled=a.bfloat16):
        eps = net(x, t.float())
    loss = (eps.float() - noise).square().mean()
    optimiser.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()
    decay = min(a.ema, (1 + step) / (10 + step))
    with torch.no_grad():
        for averaged, current in zip(ema.parameters(), net.parameters(), strict=True):
            averaged.lerp_(current, 1 - decay)
    state['step'] = step + 1
    return [step, x0.shape[-1], f'{loss.item():.5f}', f'{norm:.4f}', f'{rate:.3e}']


def main():
    a = parse()
    if a.bfloat16 and not torch.cpu._is_avx512_bf16_supported():
        sys.exit(
            '--bfloat16: this CPU has no bfloat16 arithmetic; a step would be ten times slower'
        )
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    a.out.mkdir(parents=True, exist_ok=True)
    cache = a.scenes or a.out / 'scenes'
    net, ema, optimiser, state = resumed(a)

    def measure():
        rows = [[state['step'], *row] for row in validate(ema, cache, a.photographs)]
        appended(a.out / 'validation.csv', ['step', 'set', 't', 'loss'], rows)

    if a.every and state['step'] == 0:
        measure()
    end = moment(a.until) if a.until else None

    def done():
        if end:
            return (time.time() - state['began']) / (end - state['began'])
        return state['step'] / a.steps

    def over():
        return done() >= 1 or state['step'] >= min(a.steps, a.stop or a.steps)

    log, last = [], over()
    while not last:
        start = time.monotonic()
        row = advance(a, cache, net, ema, optimiser, state, done())
        log.append([*row, f'{time.monotonic() - start:.2f}'])
        last = over()
        if state['step'] % a.save == 0 or last:
            save(a.out / 'checkpoint.pt', net, ema, optimiser, state)
            appended(a.out / 'train.csv', HEADER, log)
            log = []
        if a.every and (state['step'] % a.every == 0 or (last and not a.stop)):
            measure()


if __name__ == '__main__':
    main()
