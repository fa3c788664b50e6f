/** `dsg import` */
import { attentionOrders } from '../../checkpoint/adm/published.ts';
import { cardOptions } from '../model-card.ts';
import { choice, flag, integer, option, requiredOption, text, type Values } from '../options.ts';
import { defineCommand } from './command.ts';

const options = {
  output: requiredOption('-o, --output <file>', 'Simple', 'ONNX file to write', text),
  config: option(
    '--config <file>',
    'Simple',
    'config.json of a diffusers network',
    text,
    'the one beside the weights',
  ),
  size: option(
    '--image-size <n>',
    'Simple',
    'side of the images that the network was trained with',
    integer(1),
    'as its levels or config say',
  ),
  class: option(
    '--class <n>',
    'Simple',
    'fix the class of a class-conditional network, which then takes an image and a timestep only',
    integer(0),
    'the class stays an input',
  ),
  weights: option(
    '--weights <key>',
    'Advanced',
    'which of several weights in a checkpoint, by the keys above them, as in model or 0.ema',
    text,
    'averaged ones',
  ),
  heads: option(
    '--heads <n>',
    'Advanced',
    'attention heads of a guided-diffusion network (num_heads)',
    integer(1),
    'as published for it',
  ),
  headChannels: option(
    '--head-channels <n>',
    'Advanced',
    'channels a head instead (num_head_channels)',
    integer(1),
  ),
  order: option(
    '--attention-order <name>',
    'Advanced',
    'order in which it cuts heads and q, k, v: new is use_new_attention_order',
    choice(attentionOrders),
    'as published for it',
  ),
  prediction: option(
    '--prediction <name>',
    'Advanced',
    'what the network predicts',
    choice(['epsilon', 'v', 'x0']),
    "the scheduler config's, or epsilon",
  ),
  schedule: option(
    '--schedule <name>',
    'Advanced',
    'noise schedule that it was trained with',
    choice(['linear', 'scaled_linear', 'cosine']),
    "the scheduler config's, or as published",
  ),
  timesteps: option('--timesteps <n>', 'Advanced', 'T of the schedule', integer(1), '1000'),
  ...cardOptions,
  json: flag('--json', 'Output', 'print one JSON document'),
  quiet: flag('-q, --quiet', 'Output', 'print no notes or hints'),
} as const;

export type ImportValues = Values<typeof options>;

export const importModel = defineCommand({
  about: `Reads checkpoints of guided-diffusion (.pt: diffusion models, upsamplers, classifiers) and of DDPM
(.ckpt, as DDIM, SDEdit and DDRM share them), and diffusers UNet2DModel folders or files
(.safetensors, .bin with config.json). Nothing in a checkpoint is run.`,
  options,
  examples: [
    ['the FFHQ model of the DPS article', 'dsg import ffhq_10m.pt -o ffhq.onnx'],
    ['', 'dsg restore photo.png --simulate --task inpaint --model ffhq.onnx -o restored'],
    ['a folder that diffusers saved', 'dsg import ddpm-celebahq-256 -o celebahq.onnx'],
    [
      'one class of a class-conditional model',
      'dsg import 256x256_diffusion.pt --class 207 -o retriever.onnx',
    ],
  ],
  run: async ([checkpoint = ''], values, io) =>
    (await import('../importing.ts')).importOne(checkpoint, values, io),
});
