"""Exports small networks with random weights, of the classes that people use, with PyTorch's gradient:

    python3 test/exports/make.py FOLDER [CASE...]

Needs torch and numpy. The dynamo exporter is used where onnxscript is installed, and networks of
diffusers and transformers where those are. Each case is a folder with case.json, the inputs, the
cotangent and the gradient as .npy, and one or more .onnx files.
"""

import json
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import nn

from networks import (
    ArcFace,
    Bisenet,
    Chunks,
    ClipVision,
    Deeplab,
    ResNet,
    Segformer,
    UNet,
    VariationalEncoder,
    Vgg,
)

root, only = Path(sys.argv[1]), sys.argv[2:]
has_dynamo = find_spec("onnxscript") is not None
image = {"image": torch.randn(1, 3, 32, 32)}


def label(dynamic):
    """The axes that a file leaves open, for its name."""
    names = {name for axes in (dynamic or {}).values() for name in axes.values()}
    return "".join(f"_{name}" for name in sorted(names))


def script(opset, dynamic=None):
    """Export by TorchScript."""

    def write(model, inputs, file):
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            file,
            dynamo=False,
            opset_version=opset,
            input_names=list(inputs),
            output_names=["out"],
            dynamic_axes=dynamic,
        )

    return f"script{opset}{label(dynamic)}", write


def dynamo(opset, dynamic=None, optimize=True):
    """Export by dynamo, which writes external data; without `optimize` it keeps sequences."""

    def write(model, inputs, file):
        program = torch.onnx.export(
            model,
            tuple(inputs.values()),
            dynamo=True,
            opset_version=opset,
            input_names=list(inputs),
            output_names=["out"],
            dynamic_shapes=dynamic,
            optimize=optimize,
            verbose=False,
        )
        program.save(file, external_data=True)

    return f"dynamo{opset}{label(dynamic)}{'' if optimize else '_unoptimised'}", write


def case(name, model, inputs, wrt, exporters, tolerance=1e-4):
    """Writes a case; exporters that fail are named and left out."""
    if only and name not in only:
        return
    model = model.eval().requires_grad_(False)
    folder = root / name
    folder.mkdir(parents=True)
    leaf = inputs[wrt].clone().requires_grad_(True)
    fed = {key: leaf if key == wrt else value for key, value in inputs.items()}
    out = model(*fed.values())
    cotangent = torch.randn(out.shape).to(out.dtype)
    (gradient,) = torch.autograd.grad(out, leaf, cotangent)
    files = {}
    for label, write in exporters:
        if label.startswith("dynamo") and not has_dynamo:
            continue
        file = folder / f"{label}.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                write(model, inputs, str(file))
            except Exception as error:
                print(f"{name}/{label}: not exported: {str(error).splitlines()[0]}", file=sys.stderr)
                continue
        files[file.name] = ["out"]
    arrays = {**{f"in_{key}": value for key, value in inputs.items()}}
    arrays |= {"cotangent": cotangent, "gradient": gradient}
    for key, value in arrays.items():
        np.save(folder / f"{key}.npy", value.detach().float().numpy())
    described = {
        "tier": 2,
        "files": list(files),
        "inputs": {key: f"in_{key}.npy" for key in inputs},
        "wrt": wrt,
        "cotangent": "cotangent.npy",
        "gradient": "gradient.npy",
        "output_index": 0,
        "tolerance": tolerance,
    }
    (folder / "case.json").write_text(json.dumps(described))


class First(nn.Module):
    """The tensor of a network that returns a record."""

    def __init__(self, model, field):
        super().__init__()
        self.model, self.field = model, field

    def forward(self, *inputs):
        return getattr(self.model(*inputs), self.field)


def settled(model):
    """Statistics of batch normalization as after training, not mean 0 and variance 1."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.1)
    return model


torch.manual_seed(0)
both = [script(17), dynamo(20)]
hw = {"image": {0: "batch", 2: "height", 3: "width"}, "out": {0: "batch"}}
case("arcface", settled(ArcFace()), image, "image", both)
case("vgg16", Vgg(), image, "image", both)
case("resnet50", settled(ResNet()), image, "image", [*both, script(13), script(17, hw)])
case("deeplab", settled(Deeplab()), image, "image", both)
case("bisenet", settled(Bisenet()), image, "image", [script(17), script(17, hw)])
case("segformer", Segformer(), image, "image", [*both, dynamo(23)])
case("clip", ClipVision(), image, "image", [*both, dynamo(23), dynamo(24)])
plain = [*both, dynamo(20, optimize=False)]
case("chunks", Chunks(), {"x": torch.randn(1, 4, 8, 8)}, "x", plain)
case("vae_encoder", VariationalEncoder(), image, "image", both)

x = torch.randn(2, 3, 16, 16)
batch = {"x": {0: "batch"}, "t": {0: "batch"}, "out": {0: "batch"}}
sizes = {"x": {0: "batch", 2: "height", 3: "width"}, "t": {0: "batch"}, "out": {0: "batch"}}
opsets = [script(n) for n in range(13, 21)] + [dynamo(n) for n in range(18, 25)]
case(
    "unet_int64_batched",
    UNet(),
    {"x": x, "t": torch.tensor([500, 20])},
    "x",
    [
        *opsets,
        script(17, batch),
        script(17, sizes),
        dynamo(20, optimize=False),
        dynamo(20, {"x": {0: "batch"}, "t": {0: "batch"}}),
        dynamo(20, {"x": {0: "batch", 2: "height", 3: "width"}, "t": {0: "batch"}}),
    ],
)
case("unet_int64_scalar", UNet(), {"x": x, "t": torch.tensor(500)}, "x", both)
case("unet_float_scalar", UNet(), {"x": x, "t": torch.tensor(500.0)}, "x", both)
case("unet_float_batched", UNet(), {"x": x, "t": torch.tensor([500.0, 3.5])}, "x", both)
half = {"x": x.half(), "t": torch.tensor([500, 20])}
case("unet_float16", UNet().half(), half, "x", both, tolerance=2e-2)
case("unet_mixed", UNet(mixed=True), {"x": x, "t": torch.tensor([500, 20])}, "x", both, 2e-2)

if find_spec("diffusers"):
    from diffusers import AutoencoderKL, UNet2DConditionModel, UNet2DModel

    blocks = {"block_out_channels": (16, 32), "norm_num_groups": 8, "layers_per_block": 1}
    model = UNet2DModel(
        sample_size=16,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=8,
        **blocks,
    )
    inputs = {"x": x, "t": torch.tensor([500, 20])}
    case("diffusers_unet", First(model, "sample"), inputs, "x", both)
    model = UNet2DConditionModel(
        sample_size=16,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=24,
        attention_head_dim=8,
        **blocks,
    )
    inputs = {"x": torch.randn(1, 4, 16, 16), "t": torch.tensor(500), "c": torch.randn(1, 7, 24)}
    case("diffusers_unet_condition", First(model, "sample"), inputs, "x", both)
    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        **blocks,
    )
    case("diffusers_autoencoder", First(model, "sample"), image, "image", both)

if find_spec("transformers"):
    from transformers import CLIPVisionConfig, CLIPVisionModel

    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    config = CLIPVisionConfig(**small, num_attention_heads=4, image_size=32, patch_size=8)
    config._attn_implementation = "eager"
    model = First(CLIPVisionModel(config), "pooler_output")
    case("transformers_clip", model, image, "image", both)

    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    small = {"hidden_sizes": [8, 16, 24, 32], "decoder_hidden_size": 16, "depths": [1, 1, 1, 1]}
    config = SegformerConfig(**small, num_attention_heads=[1, 2, 2, 4])
    model = First(settled(SegformerForSemanticSegmentation(config)), "logits")
    case("transformers_segformer", model, {"image": torch.randn(1, 3, 64, 64)}, "image", both)
