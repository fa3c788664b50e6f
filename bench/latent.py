"""Makes a pipeline of the sizes of Stable Diffusion 1.5, to measure with:

    python3 bench/latent.py FOLDER [PART...]

Needs torch, diffusers, transformers, onnx. Weights are zeros in a sparse file, so that neither memory nor disk is
needed for them here; what a step takes does not depend on their values.
"""

import json
import sys
import warnings
from pathlib import Path

import onnx
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from onnx import TensorProto
from transformers import CLIPTextConfig, CLIPTextModel

warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).parent.parent / "test/pipeline/latent"))
from parts import Decoder, Encoder, Unet  # noqa: E402
from vocabulary import write_vocabulary  # noqa: E402

root, only = Path(sys.argv[1]), sys.argv[2:]
page = 4096


class Text(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids):
        return self.model(input_ids).last_hidden_state


def empty(make):
    """A model whose weights are pages that nobody has written to."""
    with torch.device("meta"):
        model = make()
    count = 0
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            weight = torch.zeros(p.shape)
            # The exporter takes equal weights for one and the same.
            weight.view(-1)[0] = count = count + 1
            setattr(module, name, torch.nn.Parameter(weight, requires_grad=False))
        for name, value in module.named_buffers(recurse=False):
            setattr(module, name, torch.zeros(value.shape, dtype=value.dtype))
    if hasattr(model, "set_attn_processor"):
        model.set_attn_processor(AttnProcessor())
    return model.eval()


def export(module, inputs, outputs, folder, axes, config):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    torch.onnx.export(
        module,
        tuple(inputs.values()),
        file,
        dynamo=False,
        opset_version=17,
        input_names=list(inputs),
        output_names=outputs,
        dynamic_axes=axes,
        export_params=False,
        do_constant_folding=False,
    )
    model = onnx.load(file)
    graph = model.graph
    weights = [v for v in graph.input if v.name not in inputs]
    end = 0
    for value in weights:
        graph.input.remove(value)
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        length = 4 * int(torch.Size(shape).numel())
        tensor = graph.initializer.add(name=value.name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, entry in {"location": "model.onnx_data", "offset": end, "length": length}.items():
            tensor.external_data.add(key=key, value=str(entry))
        end += -(-length // page) * page
    onnx.save(model, file)
    with open(folder / "model.onnx_data", "wb") as data:
        data.truncate(end)
    (folder / "config.json").write_text(json.dumps(config) + "\n")
    print(folder, f"{end / 1e9:.2f} GB of weights", flush=True)


def unet():
    return UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280, 1280),
        cross_attention_dim=768,
        attention_head_dim=8,
        layers_per_block=2,
    )


def autoencoder():
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=512,
    )


def text():
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=write_vocabulary(root / "tokenizer"),
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            attn_implementation="eager",
        )
    )


latent = dict(enumerate(("batch_size", "num_channels", "height", "width")))
about = {"latent_channels": 4, "block_out_channels": [128, 256, 512, 512], "scaling_factor": 0.18215}
words = {0: "batch_size", 1: "sequence_length"}
parts = {
    "unet": lambda folder: export(
        Unet(empty(unet)),
        {
            "sample": torch.zeros(2, 4, 16, 16),
            "timestep": torch.tensor([3]),
            "encoder_hidden_states": torch.zeros(2, 77, 768),
        },
        ["out_sample"],
        folder,
        {"sample": latent, "timestep": {0: "steps"}, "encoder_hidden_states": words},
        {"in_channels": 4, "sample_size": 64},
    ),
    "vae_decoder": lambda folder: export(
        Decoder(empty(autoencoder)),
        {"latent_sample": torch.zeros(2, 4, 8, 8)},
        ["sample"],
        folder,
        {"latent_sample": latent},
        about,
    ),
    "vae_encoder": lambda folder: export(
        Encoder(empty(autoencoder)),
        {"sample": torch.zeros(2, 3, 64, 64)},
        ["latent_parameters"],
        folder,
        {"sample": latent},
        about,
    ),
    "text_encoder": lambda folder: export(
        Text(empty(text)),
        {"input_ids": torch.zeros(2, 77, dtype=torch.int64)},
        ["last_hidden_state"],
        folder,
        {"input_ids": words},
        {},
    ),
}
with torch.no_grad():
    for name, make in parts.items():
        if not only or name in only:
            make(root / name)
(root / "scheduler").mkdir(exist_ok=True)
schedule = {
    "_class_name": "DDIMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
(root / "scheduler/scheduler_config.json").write_text(json.dumps(schedule) + "\n")
