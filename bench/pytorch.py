"""A plain forward pass and a guided step in PyTorch, to compare with; prints JSON.

    python3 bench/pytorch.py {adm,default} {eager,best,bfloat16} [--batch N] [--runs N] [--size N]

eager: as the published code runs it (weights require gradients, contiguous memory).
best: frozen weights and channels-last memory, the fastest that was found in float32 on a CPU.
bfloat16: best, with network and activations in bfloat16.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import torch

root = Path(__file__).parent.parent
sys.path += [str(root / "test" / "checkpoint"), str(root / "models" / "default")]

parser = argparse.ArgumentParser()
parser.add_argument("model", choices=["adm", "default"])
parser.add_argument("how", choices=["eager", "best", "bfloat16"])
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--size", type=int, default=256)
args = parser.parse_args()

torch.manual_seed(0)
if args.model == "adm":
    from guided import Guided

    net = Guided(size=256, out=6, width=128, mult=(1, 1, 2, 2, 4, 4), blocks=1, attend=(4,))
else:
    from network import Prior

    net = Prior()
net.eval()
parameters = sum(p.numel() for p in net.parameters())
shape = (args.batch, 3, args.size, args.size)
x, y = torch.randn(shape), torch.randn(shape)
dtype = torch.bfloat16 if args.how == "bfloat16" else torch.float32
if args.how != "eager":
    net.requires_grad_(False).to(dtype=dtype, memory_format=torch.channels_last)
    x = x.to(memory_format=torch.channels_last)
t = torch.full((args.batch,), 500)


def predict(x):
    if dtype == torch.float32:
        return net(x, t)
    # Layers whose weights stay in float32 by design, such as embeddings of time, are cast as well.
    with torch.autocast("cpu", dtype):
        return net(x, t).float()


def plain():
    with torch.no_grad():
        predict(x)


def guided():
    leaf = x.detach().requires_grad_(True)
    eps = predict(leaf)[:, :3]
    x0 = ((leaf - 0.95 * eps) / 0.3).clamp(-1, 1)
    torch.autograd.grad(torch.linalg.vector_norm(y - x0, dim=(1, 2, 3)).sum(), leaf)


def timed(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


for step in (plain, guided, guided):
    step()
times = [(timed(plain), timed(guided)) for _ in range(args.runs)]
print(
    json.dumps(
        {
            "parameters": parameters,
            "plain": [p for p, _ in times],
            "guided": [g for _, g in times],
            "ratio": [g / p for p, g in times],
            "peakMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    )
)
