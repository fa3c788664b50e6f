import { describe, expect, test } from 'vitest';
import { settle, type Settings } from '../../src/checkpoint/adm/published.ts';
import { classifier, unet } from '../../src/checkpoint/adm/network.ts';
import { structureOf, type Structure } from '../../src/checkpoint/adm/structure.ts';
import type { StateDict } from '../../src/checkpoint/state.ts';
import type { Weights } from '../../src/checkpoint/weights.ts';
import { UserError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Initializer } from '../../src/onnx/initializer.ts';

const mults: Readonly<Record<number, readonly number[]>> = {
  32: [1, 2, 2, 2],
  64: [1, 2, 3, 4],
  128: [1, 1, 2, 3, 4],
  256: [1, 1, 2, 2, 4, 4],
  512: [0.5, 1, 1, 2, 2, 4, 4],
};

/** A configuration as guided-diffusion's flags give it. */
function configured(
  size: number,
  width: number,
  blocks: number,
  resolutions: readonly number[],
  changes: Partial<Structure> = {},
): Structure {
  const levels = (mults[size] ?? []).map((mult, i) => ({
    channels: mult * width,
    attention: resolutions.includes(size / 2 ** i),
  }));
  const outputs = 6;
  const common = { kind: 'unet', inputs: 3, outputs, width, levels, blocks } as const;
  const flags = { resampling: 'residual', scaleShift: true } as const;
  return { ...common, ...flags, classes: undefined, poolSide: undefined, ...changes };
}

const low = [32, 16, 8];
const encoder = (size: number): Partial<Structure> => ({
  kind: 'encoder',
  outputs: 1000,
  poolSide: size / 2 ** ((mults[size]?.length ?? 1) - 1),
});
const wide = { headChannels: 64 };
const linear: Settings['schedule'] = { name: 'linear', timesteps: 1000, rescaled: false };
const cosine: Settings['schedule'] = { ...linear, name: 'cosine' };
const cosine4000: Settings['schedule'] = { name: 'cosine', timesteps: 4000, rescaled: true };
const convolution = { resampling: 'convolution' } as const;

/** The published checkpoints, with what their names and shapes cannot say. */
const published: readonly [string, Structure, Settings][] = [
  [
    'DPS FFHQ',
    configured(256, 128, 1, [16]),
    { heads: wide, order: 'legacy', schedule: linear, size: 256 },
  ],
  [
    'ImageNet 64',
    configured(64, 192, 3, low, { classes: 1000 }),
    { heads: wide, order: 'new', schedule: cosine, size: 64 },
  ],
  [
    'ImageNet 128',
    configured(128, 256, 2, low, { classes: 1000 }),
    { heads: { heads: 4 }, order: 'legacy', schedule: linear, size: 128 },
  ],
  [
    'ImageNet 256',
    configured(256, 256, 2, low, { classes: 1000 }),
    { heads: wide, order: 'legacy', schedule: linear, size: 256 },
  ],
  [
    'ImageNet 256 unconditional, LSUN',
    configured(256, 256, 2, low),
    { heads: wide, order: 'legacy', schedule: linear, size: 256 },
  ],
  [
    'ImageNet 512',
    configured(512, 256, 2, low, { classes: 1000 }),
    { heads: wide, order: 'legacy', schedule: linear, size: 512 },
  ],
  [
    'upsampler 64 to 256',
    configured(256, 192, 2, low, { inputs: 6, classes: 1000 }),
    { heads: { heads: 4 }, order: 'legacy', schedule: linear, size: 256 },
  ],
  [
    'upsampler 128 to 512',
    configured(512, 192, 2, [32, 16], { inputs: 6, classes: 1000 }),
    { heads: wide, order: 'legacy', schedule: linear, size: 512 },
  ],
  [
    'classifier 64',
    configured(64, 128, 4, low, encoder(64)),
    { heads: wide, order: 'legacy', schedule: linear, size: 64 },
  ],
  [
    'classifier 128',
    configured(128, 128, 2, low, encoder(128)),
    { heads: wide, order: 'legacy', schedule: linear, size: 128 },
  ],
  [
    'classifier 256',
    configured(256, 128, 2, low, encoder(256)),
    { heads: wide, order: 'legacy', schedule: linear, size: 256 },
  ],
  [
    'classifier 512',
    configured(512, 128, 2, low, encoder(512)),
    { heads: wide, order: 'legacy', schedule: linear, size: 512 },
  ],
  [
    'improved-diffusion CIFAR-10',
    configured(32, 128, 3, [16, 8], convolution),
    { heads: { heads: 4 }, order: 'legacy', schedule: cosine4000, size: 32 },
  ],
  [
    'improved-diffusion ImageNet 64',
    configured(64, 128, 3, [16, 8], convolution),
    { heads: { heads: 4 }, order: 'legacy', schedule: cosine4000, size: 64 },
  ],
  [
    'improved-diffusion ImageNet 64, class-conditional',
    configured(64, 192, 3, [16, 8], { ...convolution, classes: 1000 }),
    {
      heads: { heads: 4 },
      order: 'legacy',
      schedule: { ...cosine4000, rescaled: false },
      size: 64,
    },
  ],
  [
    'improved-diffusion 64 to 256',
    configured(256, 192, 2, [16, 8], { ...convolution, inputs: 6, classes: 1000 }),
    {
      heads: { heads: 4 },
      order: 'legacy',
      schedule: { ...linear, timesteps: 4000 },
      size: 256,
    },
  ],
  [
    'improved-diffusion LSUN bedroom',
    configured(256, 128, 2, [16], { ...convolution, scaleShift: false }),
    { heads: { heads: 1 }, order: 'legacy', schedule: linear, size: 256 },
  ],
];

const others: readonly [string, Structure][] = [
  ['halving by convolutions', configured(64, 128, 3, [16, 8], { resampling: 'convolution' })],
  [
    'halving without weights',
    configured(64, 128, 2, [16], { resampling: 'plain', scaleShift: false }),
  ],
  ['no attention but in the middle', configured(128, 64, 2, [])],
  ['attention everywhere', configured(64, 64, 1, [64, 32, 16, 8])],
];

/** Names and shapes of the weights that a network asks for when it is built. */
function stateOf(structure: Structure, settings: Settings): Map<string, Initializer> {
  const b = new GraphBuilder();
  const state = new Map<string, Initializer>();
  const bytes = (): Uint8Array => new Uint8Array();
  const weights: Weights = {
    has: () => false,
    finish: () => undefined,
    take(name, shape, as = shape) {
      expect(state.has(name)).toBe(false);
      state.set(name, { dtype: 'float32', shape, bytes });
      return b.initializer(name, { dtype: 'float32', shape: as, bytes });
    },
  };
  const x = b.input('x', 'float32', [1, structure.inputs, settings.size, settings.size]);
  const t = b.input('t', 'float32', [1]);
  const y = structure.classes === undefined ? undefined : b.input('y', 'int64', [1]);
  const build = structure.kind === 'unet' ? unet : classifier;
  build({ b, weights, structure, settings }, { x, t, y });
  return state;
}

const plain: Settings = { heads: { heads: 4 }, order: 'legacy', schedule: linear, size: 64 };

describe('the architecture is read from names and shapes', () => {
  test.each(published)('%s', (_, structure, settings) => {
    const found = structureOf(stateOf(structure, settings), 'model.pt');
    expect(found).toEqual(structure);
    expect(settle(found, {}, 'model.pt').settings).toEqual(settings);
  });

  test.each(others)('%s', (_, structure) => {
    const size = 2 ** (structure.levels.length - 1) * 8;
    expect(structureOf(stateOf(structure, { ...plain, size }), 'model.pt')).toEqual(structure);
  });
});

describe('choices', () => {
  const [, structure] = published[0] as (typeof published)[number];

  test('count more than what is published', () => {
    const choices = { heads: 2, order: 'new', size: 128, schedule: 'cosine' } as const;
    const chosen = settle(structure, choices, 'model.pt');
    expect(chosen.settings).toEqual({
      heads: { heads: 2 },
      order: 'new',
      size: 128,
      schedule: cosine,
    });
    expect(chosen.inferred).toEqual([]);
  });

  test('what was not chosen is said, and why', () => {
    expect(settle(structure, {}, 'model.pt').inferred).toEqual([
      'image size: 256 (by its levels)',
      'channels a head: 64 (as published for DPS FFHQ)',
      'attention order: legacy (as published for DPS FFHQ)',
      'schedule: linear, 1000 steps (as published for DPS FFHQ)',
    ]);
    const cifar = configured(32, 128, 3, [16, 8], convolution);
    expect(settle(cifar, {}, 'model.pt').inferred).toContain(
      'schedule: cosine, 4000 steps, timesteps counted to 1000 (as published for improved-diffusion CIFAR-10)',
    );
    expect(settle(cifar, { timesteps: 1000 }, 'model.pt').settings.schedule).toEqual(cosine);
  });

  test.each([
    [{ heads: 3 }, 'heads: 3 does not divide the 512 channels'],
    [{ headChannels: 100 }, 'channels a head: 100 does not divide'],
    [{ size: 100 }, 'not a multiple of 32'],
  ])('%o is refused', (choices, message) => {
    expect(() => settle(structure, choices, 'model.pt')).toThrow(message);
  });

  test('an image size that nothing tells must be given', () => {
    const levels = structure.levels.slice(0, 2);
    expect(() => settle({ ...structure, levels }, {}, 'model.pt')).toThrow('cannot be told');
    expect(settle({ ...structure, levels }, { size: 64 }, 'model.pt').settings.size).toBe(64);
  });

  test('an attention pool fits one size', () => {
    const pooled = { ...structure, ...encoder(256) };
    expect(() => settle(pooled, { size: 128 }, 'model.pt')).toThrow('for images of 256, not 128');
  });
});

describe('what is no such network', () => {
  const whole = stateOf(configured(64, 64, 1, [8]), plain);
  const changed = (change: (state: Map<string, Initializer>) => void): StateDict => {
    const state = new Map(whole);
    change(state);
    return state;
  };
  const shaped = (shape: number[]): Initializer => ({
    dtype: 'float32',
    shape,
    bytes: () => new Uint8Array(),
  });

  test.each<[string, StateDict, string]>([
    [
      '1-D',
      changed((s) => s.set('input_blocks.0.0.weight', shaped([64, 3, 3]))),
      'not the weight of a 2-D',
    ],
    [
      'a number of blocks from nowhere',
      changed((s) => s.set('input_blocks.999999999.0.bias', shaped([64]))),
      'only 9 have weights',
    ],
    [
      'channels that cannot be grouped',
      changed((s) => s.set('input_blocks.1.0.in_layers.2.weight', shaped([65, 64, 3, 3]))),
      '65 channels',
    ],
    [
      'channels beyond reason',
      changed((s) => s.set('time_embed.0.weight', shaped([0, 2 ** 50]))),
      'up to 65536',
    ],
    ['no end', changed((s) => s.delete('out.2.bias')), 'missing: out.2.bias'],
  ])('%s', (_, state, message) => {
    expect(() => structureOf(state, 'model.pt')).toThrow(UserError);
    expect(() => structureOf(state, 'model.pt')).toThrow(message);
  });
});
