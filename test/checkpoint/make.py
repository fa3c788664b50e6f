"""Makes test/fixtures/checkpoint: small networks with random weights as checkpoints of every form
that `dsg import` reads, with PyTorch's output and gradient. Needs torch, numpy, diffusers and
safetensors:

    python3 test/checkpoint/make.py
"""

import json
import math
import shutil
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel
from ddpm import Ddpm
from guided import Guided
from safetensors.torch import save_file

ROOT = Path(__file__).parent.parent / "fixtures" / "checkpoint"
TIMESTEPS = [12.0, 999.0]


def randomize(model, dtype=torch.float32):
    """Weights as views of two small storages, so that a checkpoint with real shapes stays small."""
    state = model.state_dict()
    largest = max(p.numel() for p in state.values())
    noise = (0.05 * torch.randn(largest + 997)).to(dtype)
    near_one = (1 + 0.2 * torch.randn(997)).to(dtype)
    views = OrderedDict()
    for i, (name, p) in enumerate(state.items()):
        is_gain = p.dim() == 1 and name.endswith("weight")
        source = near_one if is_gain else noise
        offset = (i * 131) % (source.numel() - p.numel() + 1)
        views[name] = source[offset : offset + p.numel()].view(p.shape)
    model.load_state_dict({name: v.float() for name, v in views.items()})
    return views


def case(name, model, size, options=None, extra=None, channels=3):
    """Inputs, output and gradient of a network, beside what was saved of it."""
    folder = ROOT / name
    model.eval()
    x = torch.randn(2, channels, size, size, requires_grad=True)
    inputs = {"t": torch.tensor(TIMESTEPS), **(extra or {})}
    out = model(x, **inputs)
    cotangent = torch.randn(out.shape)
    (gradient,) = torch.autograd.grad(out, x, cotangent)
    arrays = {"x": x, **inputs, "output": out, "cotangent": cotangent, "gradient": gradient}
    for key, value in arrays.items():
        np.save(folder / f"{key}.npy", value.detach().numpy().astype(np.float32))
    description = {"inputs": ["x", *inputs], "options": options or {}}
    (folder / "case.json").write_text(json.dumps(description, indent=2) + "\n")


def fresh(name):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def guided(name, save, options, extra=None, dtype=torch.float32, **config):
    torch.manual_seed(sum(map(ord, name)))
    folder = fresh(name)
    model = Guided(**config)
    state = randomize(model, dtype)
    torch.save(save(state), folder / "model.pt")
    case(name, model, config["size"], {"size": config["size"], **options}, extra)


def ddpm(name, save, size, **config):
    torch.manual_seed(sum(map(ord, name)))
    folder = fresh(name)
    model = Ddpm(**config)
    torch.save(save(randomize(model)), folder / "model.pt")
    case(name, model, size, {"size": size})


def diffusers(name, save, config, scheduler, forward=None, extra=None):
    torch.manual_seed(sum(map(ord, name)))
    folder = fresh(name)
    model = UNet2DModel(**config)
    state = {k: (p * 0.6 if p.dim() > 1 else p + 0.1 * torch.randn_like(p)) for k, p in model.state_dict().items()}
    model.load_state_dict(state)
    save(folder, state)
    (folder / "config.json").write_text(json.dumps({"_class_name": "UNet2DModel", **config}, indent=2) + "\n")
    (folder / "scheduler_config.json").write_text(json.dumps(scheduler, indent=2) + "\n")

    class Wrapped(torch.nn.Module):
        def forward(self, x, t, y=None):
            return model(x, t, class_labels=y).sample

    case(name, Wrapped(), config["sample_size"], extra=extra, channels=config["in_channels"])


def wrapped(state):
    """As training loops save: nested, prefixed, with what the optimizer left."""
    prefixed = OrderedDict((f"module.{k}", v) for k, v in state.items())
    return {"ema": prefixed, "model": OrderedDict(other=torch.ones(1)), "epoch": 3, "lr": np.float64(0.1)}


def old_names(state):
    """Attention as diffusers named it before 0.15."""
    pairs = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]
    renamed = {}
    for key, value in state.items():
        for new, old in pairs:
            key = key.replace(f".{new}.", f".{old}.")
        renamed[key] = value
    return renamed


def main():
    eight, four = (lambda c: c // 8), (lambda c: 4)
    classes = {"y": torch.tensor([1, 6])}
    guided("adm-learned-variance", lambda s: s, {"headChannels": 8}, dtype=torch.float16,
           size=8, out=6, mult=(1, 2), attend=(1,), heads=eight)
    guided("adm-class-conditional", wrapped, {"headChannels": 8, "order": "new"}, classes,
           size=16, mult=(1, 1, 1), blocks=2, attend=(1, 2), classes=7, new_order=True, heads=eight)
    guided("adm-convolutions", lambda s: {"state_dict": s}, {"heads": 4},
           size=8, attend=(0, 1), updown=False, scale_shift=False, heads=four)
    guided("adm-pooling", lambda s: s, {"heads": 4}, dtype=torch.bfloat16,
           size=8, attend=(), updown=False, learned=False, heads=four)
    guided("adm-upsampler", lambda s: s, {"headChannels": 8}, {"low_res": torch.randn(2, 3, 4, 4)},
           size=16, inputs=6, out=6, heads=eight)
    guided("adm-classifier", lambda s: s, {"headChannels": 8},
           size=8, blocks=2, out=10, attend=(1,), pool="attention", heads=eight)
    guided("adm-classifier-adaptive", lambda s: s, {"headChannels": 8}, dtype=torch.float64,
           size=8, blocks=2, out=10, attend=(1,), pool="adaptive", heads=eight)

    ddpm("ddpm", lambda s: [{f"module.{k}": v for k, v in s.items()}, {"state": {}}, 3], 8, mult=(1, 2), blocks=2)

    small = {"in_channels": 3, "out_channels": 3, "sample_size": 16, "block_out_channels": [4, 8],
             "norm_num_groups": 4}
    diffusers(
        "diffusers-ddpm",
        lambda folder, s: save_file(s, folder / "diffusion_pytorch_model.safetensors"),
        {**small, "layers_per_block": 2, "attention_head_dim": None, "downsample_padding": 0,
         "flip_sin_to_cos": False, "freq_shift": 1, "norm_eps": 1e-6,
         "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]},
        {"_class_name": "DDPMScheduler", "beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02,
         "clip_sample": True, "num_train_timesteps": 1000, "prediction_type": "epsilon"},
    )
    diffusers(
        "diffusers-resnet",
        lambda folder, s: torch.save(old_names(s), folder / "diffusion_pytorch_model.bin"),
        {**small, "out_channels": 6, "layers_per_block": 1, "attention_head_dim": 4, "downsample_type": "resnet",
         "upsample_type": "resnet", "resnet_time_scale_shift": "scale_shift", "center_input_sample": True,
         "mid_block_scale_factor": math.sqrt(2), "num_class_embeds": 7, "block_out_channels": [4, 8, 8],
         "down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
         "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"]},
        {"_class_name": "DDIMScheduler", "beta_schedule": "squaredcos_cap_v2", "clip_sample": False,
         "num_train_timesteps": 500, "prediction_type": "v_prediction"},
        extra=classes,
    )


if __name__ == "__main__":
    main()
