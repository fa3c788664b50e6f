"""Writes the prior as ONNX: float16 weights behind Cast, dynamic batch, height and width.

    python export.py WEIGHTS [WEIGHTS ...] OUT.onnx

WEIGHTS are checkpoints of train.py or files that this program wrote; of several, the mean is written: of
what a run started from and what it came to, often better than both (M. Wortsman et al., CVPR 2022).
Inputs x (batch, 3, height, width) and t (batch,), output eps, all float32. Compares ONNX Runtime
with PyTorch on two sizes, and prints the file's size, its speed and its SHA-256 as JSON.
"""

import copy
import hashlib
import io
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from network import Prior, load_weights

OPSET = 17


def traced(net):
    """The network as an ONNX model in float32."""
    warnings.simplefilter('ignore')
    file = io.BytesIO()
    torch.onnx.export(
        net,
        (torch.zeros(1, 3, 64, 64), torch.zeros(1)),
        file,
        dynamo=False,
        opset_version=OPSET,
        input_names=['x', 't'],
        output_names=['eps'],
        dynamic_axes={
            'x': {0: 'batch', 2: 'height', 3: 'width'},
            't': {0: 'batch'},
            'eps': {0: 'batch', 2: 'height', 3: 'width'},
        },
    )
    return onnx.load_from_string(file.getvalue())


def halved(model):
    """The same model with its matrices and kernels kept in float16 behind Cast."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.float32 and value.ndim > 1 and value.size > 1024:
            name, small = tensor.name, f'{tensor.name}.half'
            tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float16), small))
            casts.append(
                helper.make_node('Cast', [small], [name], f'{name}.cast', to=TensorProto.FLOAT)
            )
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def largest_difference(net, runtime):
    """The largest |ε_runtime - ε_torch|, float16 weights in both, two sizes and four levels."""
    rounded = copy.deepcopy(net)
    with torch.no_grad():
        for p in rounded.parameters():
            if p.ndim > 1 and p.numel() > 1024:
                p.copy_(p.half().float())
    rng = np.random.default_rng(0)
    worst = 0.0
    for shape in ((2, 3, 64, 64), (1, 3, 96, 160)):
        for level in (0, 50, 400, 999):
            x = rng.standard_normal(shape, dtype=np.float32)
            t = np.full(shape[0], level, np.float32)
            with torch.no_grad():
                expected = rounded(torch.from_numpy(x), torch.from_numpy(t)).numpy()
            worst = max(
                worst, float(np.abs(runtime.run(['eps'], {'x': x, 't': t})[0] - expected).max())
            )
    return worst


def mean(states):
    """The mean of weights, by name."""
    return {
        name: torch.stack([state[name].float() for state in states]).mean(0) for name in states[0]
    }


def main():
    *weights, out = sys.argv[1:]
    out = Path(out)
    torch.set_num_threads(1)
    net = Prior().eval()
    net.load_state_dict(mean([load_weights(path) for path in weights]))
    onnx.save(halved(traced(net)), out)
    runtime = session(out)
    worst = largest_difference(net, runtime)
    if worst > 1e-3:
        sys.exit(f'{out}: ONNX Runtime differs from PyTorch by {worst:.2e}, expected at most 1e-3')
    feed = {'x': np.zeros((1, 3, 256, 256), np.float32), 't': np.zeros(1, np.float32)}
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        runtime.run(['eps'], feed)
        seconds.append(time.perf_counter() - start)
    report = {
        'file': out.name,
        'bytes': out.stat().st_size,
        'sha256': hashlib.sha256(out.read_bytes()).hexdigest(),
        'parameters': sum(p.numel() for p in net.parameters()),
        'opset': OPSET,
        'largest difference from PyTorch': worst,
        'seconds at 256x256, one thread': round(min(seconds), 3),
    }
    print(json.dumps(report, indent=1))


if __name__ == '__main__':
    main()
