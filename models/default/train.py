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
from datetime import time as clock
from pathlib import Path

import numpy as np
import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from network import STEPS, Prior, load_weights, noised
from optimiser import optimiser_of
from patches import Patches
from validation import validate

HEADER = ['step', 'side', 'loss', 'gradient norm', 'rate', 'seconds']


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
    p.add_argument('--fresh', type=float, default=0.25, help='new scenes a step')
    p.add_argument('--steps', type=int, required=True, help='the step at which the rate reaches 0')
    p.add_argument('--until', help='HH:MM or HH:MM:SS: the clock sets the rate, and --steps is only the most')
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
        '--bfloat16', action='store_true', help='autocast; on CPUs only with AMX or AVX512-BF16'
    )
    p.add_argument('--device', default='cpu', help='cpu or cuda')
    p.add_argument('--every', type=int, default=500, help='steps between validations; 0: none')
    p.add_argument('--save', type=int, default=100, help='steps between checkpoints')
    p.add_argument(
        '--photographs', help='folder of PNG photographs to validate on besides the packaged'
    )
    return p.parse_args()


def moment(until):
    """The next time the clock shows HH:MM or HH:MM:SS, in seconds since the epoch."""
    now = datetime.now()
    end = datetime.combine(now, clock.fromisoformat(until))
    return (end if end > now else end + timedelta(days=1)).timestamp()


def appended(path, header, rows):
    """Appends rows to a CSV file, with the header when it is new."""
    new = not path.exists()
    with open(path, 'a', newline='') as file:
        csv.writer(file).writerows([header] * new + rows)


def resumed(a):
    """Network, EMA, optimiser and state of the run in a.out, or of a new one."""
    net, ema = Prior().to(a.device), Prior().to(a.device)
    state = {'step': 0, 'began': time.time()}
    saved = None
    if (a.out / 'checkpoint.pt').exists():
        saved = torch.load(a.out / 'checkpoint.pt', a.device, weights_only=False)
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


def advance(a, patches, net, ema, optimiser, state, done):
    """One training step in place, with the share `done` of the run over.
    Returns its row of the log, without the seconds."""
    step = state['step']
    rate = learning_rate(a, step, done)
    for group in optimiser.param_groups:
        group['lr'] = rate
    x0, t, noise = patches.batch(a.seed, step, a.pixels, STEPS, a.power)
    x = noised(x0, t, noise).contiguous(memory_format=torch.channels_last)
    with torch.autocast(a.device, torch.bfloat16, enabled=a.bfloat16):
        eps = net(x, t.float())
    loss = (eps.float() - noise).square().mean()
    optimiser.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()
    average = get_ema_multi_avg_fn(min(a.ema, (1 + step) / (10 + step)))
    average(list(ema.parameters()), list(net.parameters()), step)
    state['step'] = step + 1
    return [step, x0.shape[-1], loss.detach(), norm, rate]


def shown(row):
    """A row of the log as text. A GPU is waited for here, not at every step."""
    step, side, loss, norm, rate, seconds = row
    return [step, side, f'{loss:.5f}', f'{norm:.4f}', f'{rate:.3e}', f'{seconds:.3f}']


def main():
    a = parse()
    if a.bfloat16 and a.device == 'cpu' and not torch.cpu._is_avx512_bf16_supported():
        sys.exit(
            '--bfloat16: this CPU has no bfloat16 arithmetic; a step would be ten times slower'
        )
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    a.out.mkdir(parents=True, exist_ok=True)
    cache = a.scenes or a.out / 'scenes'
    net, ema, optimiser, state = resumed(a)
    patches = Patches(cache, a.first, a.fresh, a.device)

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
        row = advance(a, patches, net, ema, optimiser, state, done())
        log.append([*row, time.monotonic() - start])
        last = over()
        if state['step'] % a.save == 0 or last:
            save(a.out / 'checkpoint.pt', net, ema, optimiser, state)
            appended(a.out / 'train.csv', HEADER, [shown(row) for row in log])
            log = []
        if a.every and (state['step'] % a.every == 0 or (last and not a.stop)):
            measure()


if __name__ == '__main__':
    main()
