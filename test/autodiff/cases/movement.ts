/** Law cases of operators that move elements. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { LawCase } from '../law.ts';
import type { Value } from '../../../src/onnx/graph.ts';
import { ints, onX } from './case.ts';

const concat = (axis: number, ...shapes: number[][]): LawCase => ({
  name: `axis ${axis}, ${shapes.length} inputs`,
  operator: 'Concat',
  inputs: Object.fromEntries(shapes.map((shape, i) => [`x${i}`, { shape }])),
  build: (b, x) => b.op('Concat', Object.values(x), { axis }),
});

/** All parts, each scaled by its number, joined in reverse order. */
const split = (
  name: string,
  shape: number[],
  outputs: number,
  attributes: Attributes,
  sizes?: number[],
  opset = 17,
): LawCase => ({
  name: `${name}, opset ${opset}`,
  operator: 'Split',
  inputs: { x: { shape } },
  opset,
  build: (b, { x }) => {
    const parts = b.ops('Split', [x, sizes && b.ints(sizes)], attributes, outputs);
    const axis = attributes['axis'] as number;
    const scaled = parts.map((part, i) => b.scale(part, i + 2));
    return b.op('Concat', scaled.reverse(), { axis });
  },
});

const slice = (
  name: string,
  shape: number[],
  starts: number[],
  ends: number[],
  axes?: number[],
  steps?: number[],
): LawCase =>
  onX('Slice', name, shape, {
    rest: (b) => [b.ints(starts), b.ints(ends), axes && b.ints(axes), steps && b.ints(steps)],
  });

const pad = (
  name: string,
  shape: number[],
  pads: number[],
  { mode, axes, opset = 18 }: { mode?: string; axes?: number[]; opset?: number } = {},
): LawCase =>
  onX('Pad', `${mode ?? 'constant'}, ${name}`, shape, {
    opset,
    attributes: { mode },
    rest: (b) => [b.ints(pads), undefined, axes && b.ints(axes)],
  });

const far = 2 ** 31;

export const movement: LawCase[] = [
  onX('Reshape', 'whole', [2, 3, 4], { rest: ints([4, 6]) }),
  onX('Reshape', '0 and -1', [2, 3, 4], { rest: ints([0, -1]) }),
  onX('Flatten', 'default axis', [2, 3, 4]),
  onX('Flatten', 'axis 0', [2, 3], { attributes: { axis: 0 } }),
  onX('Flatten', 'negative axis', [2, 3, 4], { attributes: { axis: -1 } }),
  onX('Squeeze', 'axes', [2, 1, 3, 1], { rest: ints([1, -1]) }),
  onX('Squeeze', 'no axes', [1, 2, 1, 3]),
  onX('Unsqueeze', 'axes', [2, 3], { rest: ints([0, -1]) }),
  onX('Transpose', 'cyclic', [2, 3, 4], { attributes: { perm: [1, 2, 0] } }),
  onX('Transpose', 'default', [2, 3, 4]),
  onX('DepthToSpace', 'DCR', [1, 8, 2, 3], { attributes: { blocksize: 2 } }),
  onX('DepthToSpace', 'CRD', [2, 8, 2, 3], { attributes: { blocksize: 2, mode: 'CRD' } }),
  onX('SpaceToDepth', 'blocks', [1, 2, 4, 6], { attributes: { blocksize: 2 } }),

  concat(1, [2, 1], [2, 3], [2, 2]),
  concat(-2, [1, 3], [2, 3]),
  concat(0, [2, 3]),
  {
    name: 'one input twice, and a constant',
    operator: 'Concat',
    inputs: { x: { shape: [2, 2] } },
    build: (b, { x }) => {
      const constant = b.constant([1, 2], 'float32', [2, 1]);
      return b.op('Concat', [x, constant, x], { axis: 1 });
    },
  },
  split('sizes', [2, 6], 3, { axis: 1 }, [1, 3, 2]),
  split('equal parts', [6, 2], 3, { axis: 0 }),
  split('negative axis', [2, 4], 2, { axis: -1 }, [3, 1]),
  split('num_outputs', [2, 6], 3, { axis: 1, num_outputs: 3 }, undefined, 18),
  split('num_outputs, uneven', [2, 5], 2, { axis: 1, num_outputs: 2 }, undefined, 18),

  slice('one axis', [2, 5], [1], [4], [1]),
  slice('all axes', [3, 5], [1, 2], [3, 4]),
  slice('from the end', [3, 5], [-3], [-1], [-1]),
  slice('open end', [3, 5], [2], [far], [1]),
  slice('explicit unit steps', [3, 5], [1, 0], [3, 5], [0, 1], [1, 1]),
  slice('steps', [3, 7], [1], [far], [1], [2]),
  slice('backwards', [3, 5], [-1], [-far], [1], [-1]),
  slice('backwards by two and forwards', [4, 5], [4, 1], [0, 3], [1, 0], [-2, 1]),

  pad('pads', [2, 3], [1, 0, 2, 1], { opset: 17 }),
  pad('negative', [4, 5], [-1, 1, 2, -2]),
  pad('axes', [2, 3, 4], [1, 2, 0, 1], { axes: [2, 0] }),
  pad('negative axes', [2, 3], [1, 2], { axes: [-1] }),
  pad('images', [1, 2, 3, 4], [0, 0, 1, 2, 0, 0, 2, 1], { mode: 'reflect', opset: 17 }),
  pad('images', [1, 2, 3, 4], [0, 0, 1, 2, 0, 0, 2, 1], { mode: 'edge' }),
  pad('images', [1, 2, 3, 4], [0, 0, 1, 2, 0, 0, 2, 1], { mode: 'wrap', opset: 19 }),
  pad('first axis', [3, 2], [2, 0, 1, 0], { mode: 'reflect' }),
  pad('axes', [3, 2, 2], [2, 1], { mode: 'edge', axes: [0] }),
  {
    name: 'the value',
    operator: 'Pad',
    inputs: { x: { shape: [3, 4] }, value: { shape: [] } },
    build: (b, { x, value }) => b.op('Pad', [x, b.ints([1, -1, 0, 2]), value]),
  },
  onX('ReverseSequence', 'lengths', [4, 3, 2], { rest: ints([4, 2, 3]) }),
  onX('ReverseSequence', 'batch first', [3, 4, 2], {
    rest: ints([1, 4, 3]),
    attributes: { batch_axis: 0, time_axis: 1 },
  }),
  onX('Trilu', 'upper', [2, 3, 4]),
  onX('Trilu', 'upper, above', [3, 4], { rest: ints(1) }),
  onX('Trilu', 'lower, below', [4, 3], { rest: ints(-1), attributes: { upper: 0 } }),

  onX('Expand', 'new axes', [3, 1], { rest: ints([2, 3, 4]) }),
  onX('Expand', 'shorter shape', [2, 3, 1], { rest: ints([4]) }),
  onX('Expand', 'scalar', [], { rest: ints([2, 2]) }),
  onX('Tile', 'all axes', [2, 3], { rest: ints([2, 3]) }),
  onX('Tile', 'middle axis', [2, 3, 2], { rest: ints([1, 2, 1]) }),
  {
    name: 'once',
    operator: 'Tile',
    inputs: { x: { shape: [2, 2] } },
    build: (b, { x }) => b.mul(b.op('Tile', [x, b.ints([1, 1])]), x as Value),
  },
];
