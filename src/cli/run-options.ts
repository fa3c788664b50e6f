/** Options of every command that samples: what runs it, and what it leaves behind. */
import { IMAGE_FORMATS } from '../image/formats.ts';
import { memories } from '../session/memory.ts';
import { precisions } from '../session/precision.ts';
import { choice, flag, integer, integerOr, option, optionWith, text } from './options.ts';

/** Of commands that mirror a tree of inputs. */
export const baseOption = option(
  '--base <folder>',
  'Advanced',
  'name inputs, and mirror folders, by paths below this; for lists and expanded patterns',
  text,
  'the folder or pattern given; a file has its own name',
);

/** What runs the network, and how exactly. */
export const deviceOptions = {
  device: optionWith(
    '--device <name>',
    'Advanced',
    'what runs the network; auto takes a GPU if there is one, and says which and why',
    choice(['auto', 'cpu', 'cuda', 'webgpu', 'openvino']),
    'auto',
  ),
  precision: optionWith(
    '--precision <name>',
    'Advanced',
    'of the network; fp16 with --device cuda or webgpu, bf16 with openvino',
    choice(precisions),
    'fp32',
  ),
  memory: optionWith(
    '--memory <name>',
    'Advanced',
    'low computes most of the forward pass twice, fast keeps all that the backward pass reads',
    choice(memories),
    'balanced',
  ),
} as const;

export const runOptions = {
  format: option(
    '--format <name>',
    'Output',
    'of the results; npy is float32 [1,3,H,W] without rounding',
    choice(IMAGE_FORMATS),
    'png',
  ),
  trace: option(
    '--trace <k>',
    'Output',
    'keep x0 every k steps, as images and an animation',
    integer(1),
    'off',
  ),
  json: flag('--json', 'Output', 'print one JSON document on stdout instead of lines'),
  quiet: flag('-q, --quiet', 'Output', 'print no progress, notes or hints'),
  resume: flag(
    '--resume',
    'Output',
    'keep results that are whole and were made with the same options of the same inputs',
  ),
  batch: option(
    '--batch <n>',
    'Advanced',
    'images a run of the network; auto takes what memory holds, up to 8',
    integerOr('auto'),
    '1',
  ),
  lanes: optionWith(
    '--lanes <n>',
    'Advanced',
    'batches sampled side by side, each with its share of the cores',
    integer(1),
    1,
  ),
  ...deviceOptions,
} as const;
