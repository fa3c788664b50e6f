"""A guided step in PyTorch, to compare with: the network of bench/adm.js, measured as JSON.

    python3 bench/pytorch.py [eager|best] [RUNS]

eager: as the published code runs it (weights require gradients, contiguous memory).
best: frozen weights and channels-last memory, the fastest that was found in float32 on a CPU.
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "test" / "checkpoint"))
from guided import Guided

how = sys.argv[1] if len(sys.argv) > 1 else "best"
runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
torch.manual_seed(0)
net = Guided(size=256, out=6, width=128, mult=(1, 1, 2, 2, 4, 4), blocks=1, attend=(4,)).eval()
parameters = sum(p.numel() for p in net.parameters())
x = torch.randn(1, 3, 256, 256)
y = torch.randn(1, 3, 256, 256)
if how == "best":
    net.requires_grad_(False).to(memory_format=torch.channels_last)
    x = x.to(memory_format=torch.channels_last)
t = torch.tensor([500])


def plain():
    with torch.no_grad():
        net(x, t)


def guided():
    leaf = x.detach().requires_grad_(True)
    eps = net(leaf, t)[:, :3]
    x0 = ((leaf - 0.95 * eps) / 0.3).clamp(-1, 1)
    torch.autograd.grad(torch.linalg.norm(y - x0), leaf)


def timed(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


for step in (plain, guided, guided):
    step()
times = [(timed(plain), timed(guided)) for _ in range(runs)]
print(
    json.dumps(
        {
            "how": how,
            "parameters": parameters,
            "plain": [p for p, _ in times],
            "guided": [g for _, g in times],
            "peakMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    )
)
