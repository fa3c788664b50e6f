"""A plain forward pass and a guided step in PyTorch, to compare with; prints JSON.

    python3 bench/pytorch.py {adm,default} WAY [--batch N] [--runs N] [--size N] [--device cpu|cuda]

eager: as the published code runs it (weights require gradients, contiguous memory).
best: frozen weights and channels-last memory, the fastest that was found in float32 on a CPU.
bfloat16, float16: best, with network and activations in that type, by autocast.
half: best, with the whole network in float16 and no autocast, which costs casts and time on a GPU.
compiled, bfloat16-compiled, float16-compiled, half-compiled: the same through torch.compile.

On a GPU, all but eager let cuDNN try its algorithms out; whether convolutions in float32 take TF32, PyTorch's default,
is in the output.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

root = Path(__file__).parent.parent
sys.path += [str(root / "test" / "checkpoint"), str(root / "models" / "default")]

types = {"best": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "half": torch.float16}
compiled = ["compiled", *(f"{name}-compiled" for name in types if name != "best")]
parser = argparse.ArgumentParser()
parser.add_argument("model", choices=["adm", "default"])
parser.add_argument("how", choices=["eager", *types, *compiled])
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--size", type=int, default=256)
parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
args = parser.parse_args()
cuda = args.device == "cuda"


def used_mib(query):
    """The numbers, or rows of them, that nvidia-smi answers; none where it does not."""
    try:
        ask = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
        return [
            [int(part) for part in line.split(",")]
            for line in subprocess.check_output(ask, text=True).strip().splitlines()
        ]
    except (OSError, subprocess.CalledProcessError, ValueError):
        return []


def gpu_mib():
    """Of this process, its CUDA context included, as bench/measure.js asks for its own."""
    for pid, used in used_mib("--query-compute-apps=pid,used_memory"):
        if pid == os.getpid():
            return used
    now = used_mib("--query-gpu=memory.used")
    return now[0][0] - before[0][0] if now and before else None


before = used_mib("--query-gpu=memory.used") if cuda else []

torch.manual_seed(0)
if args.model == "adm":
    from guided import Guided

    net = Guided(size=256, out=6, width=128, mult=(1, 1, 2, 2, 4, 4), blocks=1, attend=(4,))
    time_layers = net.time_embed
else:
    from network import Prior

    net = Prior()
    time_layers = net.time
net.eval()
parameters = sum(p.numel() for p in net.parameters())
shape = (args.batch, 3, args.size, args.size)
x, y = torch.randn(shape), torch.randn(shape)
t = torch.full((args.batch,), 500)
if cuda:
    net, x, y, t = (value.to("cuda") for value in (net, x, y, t))
way = args.how.removesuffix("-compiled")
dtype = types.get(way, torch.float32)
if args.how != "eager":
    torch.backends.cudnn.benchmark = cuda
    net.requires_grad_(False).to(dtype=dtype, memory_format=torch.channels_last)
    x = x.to(memory_format=torch.channels_last)
if way == "half":
    time_layers.register_forward_pre_hook(lambda _, given: tuple(v.to(dtype) for v in given))
if args.how in compiled:
    net = torch.compile(net)


def predict(x):
    if dtype == torch.float32:
        return net(x, t)
    if way == "half":
        return net(x.to(dtype), t).float()
    # Layers whose weights stay in float32 by design, such as embeddings of time, are cast as well.
    with torch.autocast(args.device, dtype):
        return net(x, t).float()


def plain():
    with torch.no_grad():
        predict(x)


def guided():
    leaf = x.detach().requires_grad_(True)
    eps = predict(leaf)[:, :3]
    x0 = ((leaf - 0.95 * eps) / 0.3).clamp(-1, 1)
    torch.autograd.grad(torch.linalg.vector_norm(y - x0, dim=(1, 2, 3)).sum(), leaf)


def finish():
    if cuda:
        torch.cuda.synchronize()


def timed(step):
    finish()
    start = time.perf_counter()
    step()
    finish()
    return time.perf_counter() - start


for step in [plain, guided] * 10 if cuda else [plain, guided, guided]:
    step()
times = [(timed(plain), timed(guided)) for _ in range(args.runs)]
found = {
    "parameters": parameters,
    "plain": [p for p, _ in times],
    "guided": [g for _, g in times],
    "ratio": [g / p for p, g in times],
    "peakMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}
if cuda:
    used = gpu_mib()
    found |= {
        "peakGpuMiB": torch.cuda.max_memory_reserved() / 2**20,
        **({} if used is None else {"gpuMiB": used}),
        "tf32Convolutions": torch.backends.cudnn.allow_tf32,
        "tf32Products": torch.backends.cuda.matmul.allow_tf32,
    }
print(json.dumps(found))
