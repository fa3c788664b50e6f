/** `--loss` and `--target`: what images should have beside being likely, and how that is said. */
import { InvalidArgumentError } from 'commander';
import type { Range, Region } from '../losses/preprocessing.ts';
import { lossKinds, norms, type LossKind, type LossSpec } from '../pipeline/loss-spec.ts';
import { resamplings } from '../tensor/filter.ts';
import { choice, integer, names, option, real, type Kind } from './options.ts';

type Parsers = { readonly [K in keyof LossSpec]?: (text: string) => LossSpec[K] };

const distances = ['cosine', 'l2', 'spherical', 'cross-entropy', 'grid', 'palette'] as const;
const ranges: Readonly<Record<string, Range>> = {
  '-1..1': '[-1,1]',
  '0..1': '[0,1]',
  '0..255': '[0,255]',
};

const parsers = {
  layers: (text) => text.split('+'),
  weight: real(0).parse,
  distance: choice(distances).parse,
  crop: cropOf,
  size: sizeOf,
  resize: choice(resamplings).parse,
  range: (text) => ranges[choice(Object.keys(ranges)).parse(text)] as Range,
  norm: choice(Object.keys(norms) as (keyof typeof norms)[]).parse,
  mean: perChannel,
  std: (text) => {
    const values = perChannel(text);
    if (values.every((v) => v > 0)) return values;
    throw new InvalidArgumentError('Expected standard deviations above 0.');
  },
  skip: integer(0).parse,
  grid: integer(1).parse,
  tokenizer: (text) => text,
  tower: (text) => text,
} as const satisfies Parsers;
type Key = keyof typeof parsers;

const forNetworks = [
  'layers',
  'weight',
  'crop',
  'size',
  'resize',
  'range',
  'norm',
  'mean',
  'std',
] as const;
/** Which options a kind has a use for. */
export const keysOf: Readonly<Record<LossKind, readonly Key[]>> = {
  identity: [...forNetworks, 'distance'],
  features: forNetworks,
  style: [...forNetworks, 'skip'],
  segmentation: [...forNetworks.filter((k) => k !== 'crop'), 'distance'],
  text: [...forNetworks, 'distance', 'tokenizer', 'tower'],
  color: ['weight', 'crop', 'distance', 'grid'],
  onnx: forNetworks,
};

/** `KIND[:NETWORK][,OPTION=VALUE…]`, given any number of times. */
const lossKind: Kind<readonly LossSpec[]> = {
  range: 'may be repeated',
  parse: (given, previous = []) => [...previous, parseLoss(given)],
};

function parseLoss(given: string): LossSpec {
  const [head = '', ...settings] = given.split(/,(?=[a-z]+=)/);
  const [, kind = '', network] = /^([^:]*)(?::(.*))?$/s.exec(head) ?? [];
  const kinds = Object.keys(lossKinds) as LossKind[];
  const known = kinds.find((k) => k === kind);
  if (!known)
    throw new InvalidArgumentError(`No kind of loss is '${kind}'. There are: ${kinds.join(', ')}.`);
  const options = Object.fromEntries(
    settings.map((setting) => {
      const at = setting.indexOf('=');
      const [key, value] = [setting.slice(0, at), setting.slice(at + 1)];
      const allowed: readonly string[] = keysOf[known];
      if (!allowed.includes(key))
        throw new InvalidArgumentError(
          `A loss of kind ${known} has no option '${key}'. There are: ${allowed.join(', ')}.`,
        );
      return [key, parsed(key as Key, value)];
    }),
  );
  return { kind: known, ...(network !== undefined && { network }), ...options };
}

function parsed(key: Key, value: string): unknown {
  try {
    return parsers[key](value);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InvalidArgumentError(`${key}=${value}: ${error.message}`);
  }
}

function cropOf(text: string): Region | 'face' | 'none' {
  if (text === 'face' || text === 'none') return text;
  const [left = NaN, top = NaN, width = NaN, height = NaN, ...rest] = text.split(':').map(Number);
  const whole = [left, top, width, height].every((v) => Number.isInteger(v) && v >= 0);
  if (whole && rest.length === 0) return { left, top, width, height };
  throw new InvalidArgumentError('Expected face, none, or LEFT:TOP:WIDTH:HEIGHT in pixels.');
}

function sizeOf(text: string): { width: number; height: number } {
  const [, width, height = width] = /^([1-9]\d*)(?:x([1-9]\d*))?$/.exec(text) ?? [];
  if (width !== undefined) return { width: Number(width), height: Number(height) };
  throw new InvalidArgumentError('Expected a side, or WIDTHxHEIGHT, in pixels.');
}

function perChannel(text: string): number[] {
  const values = text.split('+').map((v) => (v === '' ? NaN : Number(v)));
  if (values.every(Number.isFinite) && (values.length === 1 || values.length === 3)) return values;
  throw new InvalidArgumentError('Expected one number, or one for each channel: 0.48+0.46+0.41.');
}

export const lossOptions = {
  loss: option(
    '--loss <kind[:network]>',
    'Losses',
    `what images should have: ${Object.keys(lossKinds).join(', ')}, through an ONNX network, with ` +
      'options behind commas as in style:vgg.onnx,layers=relu1+relu2,weight=0.5 (dsg help losses)',
    lossKind,
  ),
  target: option(
    '--target <what>',
    'Losses',
    'of each loss, in their order: a picture, a .npy, a label map; a text for text; #rrggbb for color',
    names,
  ),
} as const;
