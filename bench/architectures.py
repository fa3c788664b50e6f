"""Compares gradients with PyTorch's for networks of the usual libraries; exits with 1 where one is off:

    python bench/architectures.py [--only SUBSTRING] [--limit ERROR] [--list]

Needs `npm run build`, and `pip install torch==2.13.0 torchvision timm diffusers transformers
segmentation-models-pytorch onnx onnxruntime onnxscript` (torchvision built as torch is: for a CPU or for CUDA).
Weights are random and seeded; nothing is downloaded.

torch.onnx exports each network (script: through TorchScript, dynamo: through torch.export; the number is the opset),
`dsg differentiate` derives the gradient of its output, times a random cotangent, with respect to its first input,
ONNX Runtime computes it, and torch.autograd says what it should be, both in float32. A row has the nodes of the
exported file and of the derived one, and the relative L2 error of the gradient; the output has to agree as well. Above
1e-5 it also has what either is off the gradient that PyTorch gives in float64: to be within the limit of that is as
good, and with a reason why float32 is not exact enough, to be at most three times as far from it as PyTorch.
"""

import argparse
import contextlib
import copy
import io
import logging
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import diffusers as df
import numpy as np
import onnx
import onnxruntime as ort
import segmentation_models_pytorch as smp
import timm
import torch
import torchvision.models as tv
import transformers as hf
from torch import nn

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
ort.set_default_logger_severity(3)
torch.backends.mha.set_fastpath_enabled(False)  # TorchScript's exporter does not know its operator.
dsg = Path(__file__).parent.parent / "bin" / "dsg.js"


@dataclass
class Network:
    name: str
    make: Callable
    inputs: tuple
    exports: str = "script17"
    call: Callable = lambda net, *given: net(*given)
    free: tuple = ()  # Axes of the first input that the file leaves open,
    shape: tuple = ()  # and the shape that it then has in the comparison.
    reason: str = ""


def noise(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Call(nn.Module):
    """The first tensor that a call of a network gives."""

    def __init__(self, net, call):
        super().__init__()
        self.net, self.call = net, call

    def forward(self, *given):
        out = self.call(self.net, *given)
        while not torch.is_tensor(out):
            out = next(iter(out.values())) if isinstance(out, dict) else out[0]
        return out


def stir(net):
    """Noise where initialization leaves constants: zeros, and scales near them, hide what comes before them."""
    draw = torch.Generator().manual_seed(0)
    for value in net.parameters():
        value.requires_grad_(False)
        if value.numel() == 1 or value.std() < 1e-3:
            value += 0.1 * torch.randn(value.shape, generator=draw)
    for name, value in net.named_buffers():
        if name.endswith("running_mean"):
            value += 0.1 * torch.randn(value.shape, generator=draw)
        if name.endswith("running_var"):
            value *= torch.exp(0.2 * torch.randn(value.shape, generator=draw))


def export(net, network, exporter, opset, file):
    names = [f"x{k}" for k in range(len(network.inputs))]
    options = dict(input_names=names, output_names=["out"], opset_version=opset)
    if exporter == "script":
        options |= dict(dynamo=False, dynamic_axes={"x0": {axis: f"d{axis}" for axis in network.free}})
    else:
        free = {axis: torch.export.Dim.DYNAMIC for axis in network.free} or None
        options |= dict(dynamo=True, verbose=False, external_data=False)
        options |= dict(dynamic_shapes=((free, *[None] * (len(names) - 1)),))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(net, network.inputs, file, **options)


def derive(file, inputs, cotangent):
    """What the derived graph gives, and how many nodes were and are."""
    graph = onnx.load(file).graph
    given = {value.name: inputs[int(value.name[1:])] for value in graph.input}
    free = {
        f"--dim={axis.dim_param}={length}"
        for value in graph.input
        for axis, length in zip(value.type.tensor_type.shape.dim, given[value.name].shape)
        if axis.dim_param
    }
    derived = file.with_suffix(".vjp.onnx")
    command = ["node", dsg, "differentiate", file, "--output", "out", "--wrt", "x0", *free, "-o", derived]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    session = ort.InferenceSession(derived, providers=["CPUExecutionProvider"])
    feeds = {name: value.numpy() for name, value in given.items()} | {"out.cotangent": cotangent.numpy()}
    return *session.run(["out", "x0.gradient"], feeds), len(graph.node), len(onnx.load(derived).graph.node)


def autograd(net, inputs):
    x = inputs[0].clone().requires_grad_()
    with torch.enable_grad():
        out = net(x, *inputs[1:])
    cotangent = noise(*out.shape, seed=7).to(out.dtype)
    return out.detach(), cotangent, torch.autograd.grad(out, x, cotangent)[0]


def distance(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def compare(network, label, file, limit):
    """The error of the gradient, whether all is well, and what a row says of it."""
    torch.manual_seed(0)
    net = network.make()
    if not isinstance(net, torch.jit.ScriptModule):  # which the exporter takes only by itself
        net = Call(net, network.call)
    stir(net.eval())
    inputs = (noise(*network.shape), *network.inputs[1:]) if network.shape else network.inputs
    out, cotangent, gradient = autograd(net, inputs)
    export(net, network, label[:6], int(label[6:]), file)
    y, g, before, after = derive(file, inputs, cotangent)
    error, off, row = distance(g, gradient), distance(y, out), f"{before:6} -> {after:<6}"
    fine, note = error <= limit, ""
    if not error <= 1e-5:
        doubled = [x.double() if x.is_floating_point() else x for x in inputs]
        exact = autograd(copy.deepcopy(net).double(), doubled)[2]
        ours, theirs = distance(g, exact), distance(gradient, exact)
        fine |= ours <= max(limit, 3 * theirs if network.reason else 0)
        note = f"{ours:.1e} from float64, PyTorch {theirs:.1e}; {network.reason}".rstrip("; ")
    if not off <= limit:
        fine, note = False, f"the output is off by {off:.1e}"
    return error, fine, f"{row} {error:.1e}  {'' if fine else 'FAILED: '}{note}"


# What is compared: the name that a library has for a network, a small configuration, inputs, exports.
networks = []


def add(library, name, make, *inputs, **more):
    """Inputs are tensors, or shapes of noise."""
    given = tuple(x if torch.is_tensor(x) else noise(*x, seed=k + 1) for k, x in enumerate(inputs))
    networks.append(Network(f"{library} {name}", make, given, **more))


both = "script17 dynamo18"
gate = "a ReLU's argument within rounding of 0"
image, pair, sides = (1, 3, 64, 64), (2, 3, 64, 64), dict(free=(0, 2, 3), shape=(2, 3, 96, 64))


def vision(names, exports="script17", shape=image, config={}, **more):
    for name in names.split():
        make = lambda name=name: tv.get_model(name, weights=None, **config)
        add("torchvision", name, make, shape, exports=exports, **more)


aux, backbone = dict(init_weights=False, aux_logits=False), dict(weights_backbone=None, num_classes=5)
vision("efficientnet_v2_s mnasnet0_5 regnet_y_400mf resnext50_32x4d squeezenet1_1")
vision("densenet121 shufflenet_v2_x0_5", "script13", pair)
vision("efficientnet_b0 resnet18", "script16 dynamo18", **sides)
vision("convnext_tiny mobilenet_v2 mobilenet_v3_small", "script15 dynamo20")
vision("alexnet mobilenet_v3_large", shape=(1, 3, 224, 224))
vision("googlenet inception_v3", "script11", (1, 3, 96, 96), aux)
vision("vgg11_bn", call=lambda net, x: net.features(x), **sides)
vision("deeplabv3_mobilenet_v3_large fcn_resnet50", config=backbone)
vision("lraspp_mobilenet_v3_large", "script16 dynamo18", (1, 3, 96, 64), backbone)
vision("r3d_18 r2plus1d_18", shape=(1, 3, 4, 32, 32))
vit = dict(image_size=64, patch_size=16, num_layers=3, num_heads=4, hidden_dim=64, mlp_dim=128)
swin = dict(patch_size=[4, 4], embed_dim=32, depths=[2, 2], num_heads=[2, 4], window_size=[4, 4], num_classes=10)
parts = tv.swin_transformer
second = dict(block=parts.SwinTransformerBlockV2, downsample_layer=parts.PatchMergingV2, **swin)
maxvit = dict(input_size=(64, 64), stem_channels=16, partition_size=2, block_channels=[16, 32], block_layers=[1, 1])
add("torchvision", "VisionTransformer", lambda: tv.VisionTransformer(**vit), pair, exports="script16 dynamo18")
add("torchvision", "SwinTransformer", lambda: tv.SwinTransformer(**swin), pair, exports=both)
add("torchvision", "SwinTransformer, version 2", lambda: tv.SwinTransformer(**second), pair, exports=both)
add("torchvision", "MaxVit", lambda: tv.MaxVit(head_dim=8, stochastic_depth_prob=0.0, **maxvit), image, exports=both)


def timms(names, exports="script17", shape=image, more={}, **config):
    for name in names.split():
        make = lambda name=name: timm.create_model(name, num_classes=10, **config)
        add("timm", name, make, shape, exports=exports, **more)


timms("davit_tiny edgenext_xx_small efficientvit_b0 fastvit_t8 focalnet_tiny_srf ghostnetv2_100 mambaout_femto")
timms("mobilevit_xxs nfnet_l0 repvit_m0_9 res2net50_14w_8s resnest14d skresnet18 twins_svt_small")
timms("dla34 mobileone_s0", "script13")
timms("hgnetv2_b0 poolformer_s12", "dynamo20")
timms("hrnet_w18_small mobilenetv4_conv_small", "dynamo18", more=sides)
timms("convnextv2_atto pvt_v2_b0", "script14", more=sides)
timms("botnet26t_256 coatnet_pico_rw_224 gmlp_ti16_224 hiera_tiny_224 maxvit_rmlp_pico_rw_256", img_size=64)
timms("sequencer2d_s tnt_s_patch16_224", img_size=64)
timms("swinv2_tiny_window8_256", "dynamo18", img_size=64)
timms("visformer_tiny", img_size=64, more=dict(reason="softmax of products up to 4e4"))
timms("cait_xxs24_224 deit3_small_patch16_224", img_size=64, depth=3)
timms("beit_base_patch16_224 vit_base_patch16_siglip_224", img_size=64, embed_dim=64, depth=2, num_heads=4)
timms("eva02_tiny_patch14_224", shape=(1, 3, 56, 56), img_size=56)
timms("vit_small_patch14_reg4_dinov2", "dynamo18", (1, 3, 56, 56), img_size=56, depth=3)
timms("crossvit_tiny_240", shape=(1, 3, 240, 240))
# Two images: of one, PyTorch 2.13's BatchNorm2d in eval mode gives wrong gradients where its cotangent is transposed.
timms("lambda_resnet26t", "dynamo18", pair, dict(reason=gate))
timms("xcit_nano_12_p16_224", "dynamo18", pair)
timms("levit_128s", "dynamo18", pair, img_size=64)


def segment(make, encoder="resnet18", shape=image, config={}, **more):
    of = lambda: make(encoder, encoder_weights=None, classes=3, **config)
    add("smp", f"{make.__name__} {encoder}", of, shape, **more)


segment(smp.Unet, exports=both, **sides)
segment(smp.Unet, "efficientnet-b0", exports="dynamo18")
segment(smp.Unet, "mobilenet_v2", config=dict(decoder_attention_type="scse"), exports="script15")
segment(smp.UnetPlusPlus)
segment(smp.MAnet, reason="softmax of products up to 176")
segment(smp.Linknet, exports="script13")
segment(smp.FPN, exports=both)
segment(smp.PSPNet, shape=(1, 3, 96, 96))
segment(smp.PAN, shape=(1, 3, 128, 128))
segment(smp.DeepLabV3Plus, exports=both, reason=gate, **sides)
segment(smp.Segformer, "mit_b0")


def diffuse(make, config, *inputs, note="", **more):
    add("diffusers", make.__name__ + note, lambda: make(**config), *inputs, **more)


def levels(down, up="", channels=(32, 64), **config):
    """Of a UNet or an autoencoder, by what their blocks are called before `Block2D`."""
    config |= {f"{k}_block_types": [f"{n}Block2D" for n in v.split()] for k, v in dict(down=down, up=up).items() if v}
    return dict(layers_per_block=1, block_out_channels=channels, **config)


photo, latent, text, time, step = (1, 3, 32, 32), (1, 4, 16, 16), (1, 7, 24), torch.tensor([17.0]), torch.tensor([17])
rgb, heads = dict(in_channels=3, out_channels=3, sample_size=32), dict(attention_head_dim=8, in_channels=4)
attention = levels("Down AttnDown", "AttnUp Up", attention_head_dim=8, **rgb)
fir = levels("SkipDown AttnSkipDown", "AttnSkipUp SkipUp", time_embedding_type="fourier", norm_num_groups=8, **rgb)
scaled = levels("ResnetDownsample AttnDown", "AttnUp ResnetUpsample", resnet_time_scale_shift="scale_shift", **rgb)
crossed = levels("CrossAttnDown Down", "Up CrossAttnUp", cross_attention_dim=24, sample_size=16, **heads)
control = levels("CrossAttnDown Down", cross_attention_dim=24, conditioning_embedding_out_channels=(8, 16), **heads)
heads |= dict(num_attention_heads=4, sample_size=16, patch_size=2, num_layers=2)
dit = dict(out_channels=8, num_embeds_ada_norm=10, **heads)
pixart = dict(out_channels=8, cross_attention_dim=32, caption_channels=24, use_additional_conditions=False, **heads)
sd3 = dict(joint_attention_dim=24, caption_projection_dim=32, pooled_projection_dim=16, out_channels=4, **heads)
sd3 |= dict(pos_embed_max_size=16, qk_norm="rms_norm", dual_attention_layers=(0,))
flux = dict(in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2)
flux |= dict(joint_attention_dim=24, pooled_projection_dim=16, axes_dims_rope=(4, 4, 8))
places = torch.cartesian_prod(torch.zeros(1), torch.arange(4.0), torch.arange(4.0))
sequence = (1, 16, 16), text, (1, 16), time / 1000, places, torch.zeros(7, 3)
wan = dict(num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=24, num_layers=2)
wan |= dict(freq_dim=16, ffn_dim=32, rope_max_seq_len=32)
kl = levels("DownEncoder DownEncoder", "UpDecoder UpDecoder", (16, 32), norm_num_groups=8)
vq = dict(latent_channels=3, num_vq_embeddings=32, **kl)
decode = dict(note=", decoder", exports="script15 dynamo18", call=lambda net, z: net.decode(z).sample)
encode = dict(note=", encoder", call=lambda net, x: net.encode(x).latent_dist.mean)
code = dict(note=", encoder", exports="dynamo18", call=lambda net, x: net.encode(x).latents)
to_text = dict(note=", to the text", call=lambda net, text, x, t: net(x, t, text))
hint = lambda net, hint, x, t, text: net(x, t, text, hint).mid_block_res_sample
labelled = lambda net, x, t, label: net(x, timestep=t, class_labels=label)
captioned = lambda net, x, text, t: net(x, text, t, added_cond_kwargs=dict(resolution=None, aspect_ratio=None))
diffuse(df.UNet2DModel, attention, photo, time, exports=both, free=(2, 3), shape=(1, 3, 40, 32))
diffuse(df.UNet2DModel, fir, photo, time, exports="script15 dynamo18", note=", skips and FIR filters")
diffuse(df.UNet2DModel, scaled, photo, time, note=", scale and shift")
diffuse(df.UNet2DConditionModel, crossed, latent, time, text, exports="script14 dynamo20")
diffuse(df.UNet2DConditionModel, crossed, text, latent, time, exports="dynamo18", **to_text)
diffuse(df.ControlNetModel, control, (1, 3, 16, 16), (1, 4, 8, 8), time, text, call=hint)
diffuse(df.DiTTransformer2DModel, dit, latent, step, torch.tensor([3]), call=labelled, exports=both)
diffuse(df.PixArtTransformer2DModel, pixart, latent, text, step, call=captioned)
diffuse(df.SD3Transformer2DModel, sd3, latent, text, (1, 16), time, exports=both)
diffuse(df.FluxTransformer2DModel, flux, *sequence, exports="dynamo18")
diffuse(df.WanTransformer3DModel, wan, (1, 4, 2, 8, 8), step, text, exports="dynamo18")
diffuse(df.AutoencoderKL, kl, latent, free=(0, 2, 3), shape=(2, 4, 16, 20), **decode)
diffuse(df.AutoencoderKL, kl, photo, **encode)
diffuse(df.VQModel, vq, photo, **code)


def hugging(make, config, *inputs, **more):
    add("transformers", make.__name__, lambda: make(config), *inputs, **more)


def language(make, config, exports="script17", **more):
    """With respect to embeddings, in place of tokens."""
    hugging(make, config, (2, 7, 32), call=lambda net, x: net(inputs_embeds=x), exports=exports, **more)


pixels, lengths = (2, 3, 32, 32), dict(free=(0, 1), shape=(3, 9, 32))
size = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48)
patches, words = dict(image_size=32, patch_size=8, **size), dict(vocab_size=50, max_position_embeddings=32, **size)
stages = dict(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1])
pyramid = dict(num_attention_heads=[1, 2, 2, 4], decoder_hidden_size=16, **stages)
dinov2 = hf.Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=7)
dpt = dict(backbone_out_indices=[0, 1, 2, 3], is_hybrid=False, neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=16)
dpt |= {**patches, "num_hidden_layers": 4}
sam = dict(output_channels=16, window_size=3, global_attn_indexes=[1], mlp_dim=32, **{**patches, "image_size": 64})
windows = dict(embed_dim=16, depths=[2, 1], num_heads=[2, 2], window_size=4)
detr = dict(d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=5)
detr |= dict(encoder_attention_heads=2, decoder_attention_heads=2, use_timm_backbone=False, backbone=None)
detr |= dict(backbone_config=hf.ResNetConfig(embedding_size=8, out_features=["stage4"], **stages))
deberta = dict(relative_attention=True, position_buckets=8, pos_att_type="p2c|c2p", type_vocab_size=0, **words)
funnel = dict(block_sizes=[1, 1], d_model=32, n_head=4, d_head=8, d_inner=48, vocab_size=50)
gpt2 = dict(n_embd=32, n_layer=2, n_head=4, vocab_size=50, n_positions=32, use_cache=False)
t5 = dict(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=50)
mamba = dict(hidden_size=32, state_size=4, num_hidden_layers=2, vocab_size=50, use_cache=False)
sound = dict(conv_dim=(16, 16, 16), conv_kernel=(10, 3, 3), conv_stride=(5, 2, 2), num_feat_extract_layers=3, **size)
sound |= dict(num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)
whisper = dict(d_model=32, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=48, num_mel_bins=16)
whisper |= dict(decoder_layers=1, decoder_attention_heads=4, max_source_positions=20, vocab_size=50, pad_token_id=0)
hugging(hf.CLIPVisionModel, hf.CLIPVisionConfig(**patches), pixels, exports="script14 dynamo18")
hugging(hf.SiglipVisionModel, hf.SiglipVisionConfig(**patches), pixels)
hugging(hf.Dinov2Model, dinov2, (1, 3, 28, 28), free=(2, 3), shape=(1, 3, 35, 28))
hugging(hf.Dinov2Model, dinov2, (1, 3, 28, 28), exports="dynamo18")
hugging(hf.DINOv3ViTModel, hf.DINOv3ViTConfig(num_register_tokens=2, **patches), pixels, exports="dynamo18")
hugging(hf.ViTForImageClassification, hf.ViTConfig(**patches), pixels, exports="dynamo20")
hugging(hf.SegformerForSemanticSegmentation, hf.SegformerConfig(**pyramid), image, exports=both)
hugging(hf.GLPNForDepthEstimation, hf.GLPNConfig(**pyramid), image)
hugging(hf.DPTForSemanticSegmentation, hf.DPTConfig(**dpt), (1, 3, 32, 32), exports=both)
hugging(hf.SamVisionModel, hf.SamVisionConfig(**sam), image, exports=both)
hugging(hf.Swinv2Model, hf.Swinv2Config(image_size=32, patch_size=4, **windows), pixels, exports="script16")
hugging(hf.Swin2SRForImageSuperResolution, hf.Swin2SRConfig(image_size=16, **windows), (1, 3, 16, 16), exports=both)
hugging(hf.DetrForObjectDetection, hf.DetrConfig(**detr), image, call=lambda net, x: net(x).pred_boxes, exports=both)
hugging(hf.VideoMAEModel, hf.VideoMAEConfig(num_frames=4, **patches), (1, 4, 3, 32, 32))
hugging(hf.Wav2Vec2Model, hf.Wav2Vec2Config(vocab_size=10, **sound), (1, 1000), exports=both)
hugging(hf.HubertModel, hf.HubertConfig(**sound), (1, 1000), exports="script16")
hugging(hf.WhisperModel, hf.WhisperConfig(**whisper), (1, 16, 40), call=lambda net, x: net.encoder(x), exports=both)
language(hf.BertModel, hf.BertConfig(**words), "script14", **lengths)
language(hf.BertModel, hf.BertConfig(**words), "dynamo18")
language(hf.RobertaModel, hf.RobertaConfig(**words), **lengths)
language(hf.DebertaV2Model, hf.DebertaV2Config(**deberta), both)
language(hf.FunnelBaseModel, hf.FunnelConfig(**funnel))
language(hf.GPT2Model, hf.GPT2Config(**gpt2), "dynamo18", **lengths)
language(hf.LlamaModel, hf.LlamaConfig(num_key_value_heads=2, use_cache=False, **words), "dynamo18")
language(hf.T5EncoderModel, hf.T5Config(**t5), both, **lengths)
language(hf.MambaModel, hf.MambaConfig(**mamba))


class Fourier(nn.Module):
    """A convolution of the spectrum, as in LaMa."""

    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(2 * width, 2 * width, 1)

    def forward(self, x):
        f = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        real, imaginary = self.conv(torch.cat([f.real, f.imag], 1)).relu().chunk(2, 1)
        return torch.fft.irfftn(torch.complex(real, imaginary), s=x.shape[-2:], dim=(-2, -1), norm="ortho")


class Steps(nn.Module):
    """A loop of Python, which a scripted module keeps, and a list that grows in it."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(4, 8)

    def forward(self, x):
        h, c = torch.zeros(x.shape[0], 8), torch.zeros(x.shape[0], 8)
        out = []
        for k in range(x.shape[1]):
            h, c = self.cell(x[:, k], (h, c))
            out.append(h)
        return torch.stack(out, 1)


fourier = lambda: nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), Fourier(8), nn.Conv2d(8, 3, 3, 1, 1))
spectrum = lambda _, x: torch.stft(x, 16, 8, window=torch.hann_window(16), return_complex=True).abs()
encoder = lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2)
add("torch", "Fourier convolution", fourier, (1, 3, 24, 24), exports="dynamo18")
add("torch", "magnitudes of stft", nn.Identity, (2, 100), call=spectrum, exports="dynamo18")
add("torch", "scripted loop", lambda: torch.jit.script(Steps()), (2, 5, 4))
add("torch", "LSTM", lambda: nn.LSTM(4, 8, 2, batch_first=True, bidirectional=True), (2, 10, 4), exports=both)
add("torch", "GRU", lambda: nn.GRU(4, 8, batch_first=True), (2, 10, 4), exports="script13 dynamo18")
add("torch", "TransformerEncoder", encoder, (2, 7, 16), exports=both)


parser = argparse.ArgumentParser()
parser.add_argument("--only", default="", metavar="SUBSTRING", help="networks with it in their names")
parser.add_argument("--limit", type=float, default=1e-4, metavar="ERROR")
parser.add_argument("--list", action="store_true")
args = parser.parse_args()
chosen = [network for network in networks if args.only in network.name]
if not chosen:
    parser.error(f"no network has {args.only} in its name")
if args.list:
    print(*(f"{network.name:50} {network.exports}" for network in chosen), sep="\n")
    sys.exit()
errors, exports, failed = {}, Counter(), 0
with tempfile.TemporaryDirectory() as folder, torch.no_grad():
    for network in chosen:
        library = network.name.split()[0]
        for label in network.exports.split():
            try:
                error, fine, row = compare(network, label, Path(folder) / "net.onnx", args.limit)
                errors[network.name, label] = error
            except Exception as problem:
                fine, row = False, f"FAILED: {type(problem).__name__}: {str(problem)[:1000]}"
            print(f"{network.name:50} {label[:6]} {label[6:]} {row}".rstrip(), flush=True)
            exports[library] += 1
            failed += not fine
names = {network.name for network in chosen}
for library, count in exports.items():
    print(f"{library}: {sum(name.startswith(library + ' ') for name in names)} networks, {count} exports")
if errors:
    worst, median = max(errors, key=errors.get), statistics.median(errors.values())
    print(f"{len(names)} networks, {exports.total()} exports: median error {median:.1e}", end=", ")
    print(f"worst {errors[worst]:.1e} ({worst[0]}), {failed} failed")
sys.exit(failed > 0)
