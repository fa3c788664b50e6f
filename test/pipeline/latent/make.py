"""Makes tiny Stable Diffusion pipelines with random weights, as diffusers and optimum export them, with what
diffusers makes of them:

    python3 test/pipeline/latent/make.py test/fixtures/latent

Needs torch, diffusers, transformers, onnx. Each pipeline is a folder of the exported form, with the
images and latents of diffusers' StableDiffusionPipeline in expected/.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from parts import Decoder, Encoder, Unet
from vocabulary import write_vocabulary

warnings.filterwarnings("ignore")
root = Path(sys.argv[1])
width = 12
prompts = {"prompt": "a photo of a cat", "negative_prompt": "blurry, bad"}
schedule = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}

# What tells the two generations apart: attention heads, projections, what is predicted, padding.
forms = {
    "sd15": {
        "unet": {"attention_head_dim": 2},
        "scheduler": {"_class_name": "PNDMScheduler", "skip_prk_steps": True},
        "text": {"hidden_act": "quick_gelu"},
        "pad": "<|endoftext|>",
    },
    "sd21": {
        "unet": {"attention_head_dim": [2, 4], "use_linear_projection": True},
        "scheduler": {"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"},
        "text": {"hidden_act": "gelu"},
        "pad": "!",
    },
}


class Text(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids):
        out = self.model(input_ids)
        return out.last_hidden_state, out.pooler_output


def axes(*names):
    return dict(enumerate(names))


def export(module, inputs, outputs, folder, open_axes, config):
    """One part as optimum lays it out: model.onnx and its config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    torch.onnx.export(
        module.eval(),
        tuple(inputs.values()),
        file,
        dynamo=False,
        opset_version=17,
        input_names=list(inputs),
        output_names=outputs,
        dynamic_axes=open_axes,
    )
    model = onnx.load(file)
    shorten(model)
    onnx.save(model, file)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def shorten(model):
    """Numbers for the names of inner values: module paths are most of so small a file."""
    graph = model.graph
    kept = {v.name for v in [*graph.input, *graph.output]}
    short = {}
    rename = lambda name: name if name in kept or not name else short.setdefault(name, f"v{len(short)}")
    for i, node in enumerate(graph.node):
        node.name, node.doc_string = f"{node.op_type}_{i}", ""
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
    for t in graph.initializer:
        t.name = rename(t.name)
    del graph.value_info[:]


def spread(module):
    """Random weights that a few steps do not carry out of range, biases and scales included."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            if p.ndim == 1:
                p.add_(0.1 * torch.randn_like(p))
    return module.eval()


def make(name, form):
    torch.manual_seed(0)
    folder = root / name
    vocabulary = write_vocabulary(folder / "tokenizer", form["pad"])
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    text = spread(
        CLIPTextModel(
            CLIPTextConfig(
                vocab_size=vocabulary,
                hidden_size=width,
                intermediate_size=2 * width,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=77,
                bos_token_id=vocabulary - 2,
                eos_token_id=vocabulary - 1,
                attn_implementation="eager",
                **form["text"],
            )
        )
    )
    unet = spread(
        UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(4, 8),
            layers_per_block=1,
            norm_num_groups=2,
            cross_attention_dim=width,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            **form["unet"],
        )
    )
    # The same one in every pipeline.
    torch.manual_seed(1)
    vae = spread(
        AutoencoderKL(
            block_out_channels=(4, 4, 8, 8),
            layers_per_block=1,
            norm_num_groups=2,
            latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            sample_size=64,
        )
    )
    # What optimum exports: products and a softmax.
    unet.set_attn_processor(AttnProcessor())
    vae.set_attn_processor(AttnProcessor())
    scheduler = {"_diffusers_version": "0.42.1", **schedule, **form["scheduler"]}
    (folder / "scheduler").mkdir(parents=True, exist_ok=True)
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(scheduler, indent=2) + "\n")
    z, image = torch.randn(2, 4, 8, 8), torch.randn(2, 3, 64, 64)
    states = torch.randn(2, 77, width)
    batch = "batch_size"
    export(
        Text(text),
        {"input_ids": torch.zeros(2, 77, dtype=torch.int64)},
        ["last_hidden_state", "pooler_output"],
        folder / "text_encoder",
        {"input_ids": axes(batch, "sequence_length")},
        {"_class_name": "CLIPTextModel", "hidden_size": width, "vocab_size": vocabulary},
    )
    export(
        Unet(unet),
        {"sample": z, "timestep": torch.tensor([3]), "encoder_hidden_states": states},
        ["out_sample"],
        folder / "unet",
        {
            "sample": axes(batch, "num_channels", "height", "width"),
            "timestep": axes("steps"),
            "encoder_hidden_states": axes(batch, "sequence_length"),
            "out_sample": axes(batch, "num_channels", "height", "width"),
        },
        {"_class_name": "UNet2DConditionModel", **keep(unet, "sample_size in_channels out_channels block_out_channels cross_attention_dim")},
    )
    about = {"_class_name": "AutoencoderKL", **keep(vae, "latent_channels block_out_channels scaling_factor")}
    export(
        Decoder(vae),
        {"latent_sample": z},
        ["sample"],
        folder / "vae_decoder",
        {"latent_sample": axes(batch, "num_channels_latent", "height_latent", "width_latent")},
        about,
    )
    export(
        Encoder(vae),
        {"sample": image},
        ["latent_parameters"],
        folder / "vae_encoder",
        {"sample": axes(batch, "num_channels", "height", "width")},
        about,
    )
    (folder / "model_index.json").write_text(
        json.dumps({"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1"}, indent=2) + "\n"
    )
    expected(folder / "expected", tokenizer, text, unet, vae, DDIMScheduler.from_config(scheduler))


def keep(model, names):
    return {name: model.config[name] for name in names.split()}


def expected(folder, tokenizer, text, unet, vae, scheduler):
    """What diffusers makes of given latents, and of given images."""
    folder.mkdir(parents=True, exist_ok=True)
    pipe = StableDiffusionPipeline(vae, text, tokenizer, unet, scheduler, None, None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    call = {"num_inference_steps": 6, "guidance_scale": 5.0, "latents": latents, "eta": 0.0, "height": 64, "width": 64}
    final = pipe(**prompts, **call, output_type="latent").images
    with torch.no_grad():
        image = vae.decode(final / vae.config.scaling_factor).sample
        states = pipe.encode_prompt(prompts["prompt"], "cpu", 1, False)[0]
        mean = vae.encode(image).latent_dist.mean * vae.config.scaling_factor
    save = lambda name, value: np.save(folder / name, value.detach().numpy().astype("<f4"))
    save("x_T.npy", latents)
    save("latent.npy", final)
    save("image.npy", image)
    save("embedding.npy", states)
    save("encoded.npy", mean)
    print(folder, "latent", final.abs().max().item(), "image", image.abs().max().item(), image.std().item())


for name, form in forms.items():
    make(name, form)
