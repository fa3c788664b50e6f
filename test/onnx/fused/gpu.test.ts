/** Operators that ONNX Runtime has for GPUs alone, against what their schemas say, worked out in float64. */
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../../src/autodiff/differentiate.ts';
import { gpuOperators } from '../../../src/onnx/fused/gpu.ts';
import { parseModel } from '../../../src/onnx/read.ts';
import { resolveGraph } from '../../../src/session/resolve.ts';
import { tensor, type Tensor } from '../../../src/tensor/tensor.ts';
import { feedsOf, modelOf, x, type OneNode } from '../../helpers/one-node.ts';
import { relativeError } from '../../helpers/random.ts';
import { runGraph } from '../../helpers/run.ts';

/** By indices into a tensor's axes; 0 outside. */
const at = ({ shape, data }: Tensor, ...index: number[]): number =>
  index.every((i, axis) => i >= 0 && i < shape[axis]!)
    ? data[index.reduce((flat, i, axis) => flat * shape[axis]! + i, 0)]!
    : 0;

/** A tensor by a function of its indices. */
function filled(shape: number[], f: (...index: number[]) => number): Tensor {
  const count = shape.reduce((n, d) => n * d, 1);
  const indices = (flat: number): number[] => {
    let rest = flat;
    return shape
      .toReversed()
      .map((d) => {
        const i = rest % d;
        rest = (rest - i) / d;
        return i;
      })
      .toReversed();
  };
  return tensor(
    shape,
    Float32Array.from({ length: count }, (_, i) => f(...indices(i))),
  );
}

/** The error function by its series. */
function erf(v: number): number {
  let [term, sum] = [v, v];
  for (let n = 1; n < 60; n++) {
    term *= (-v * v) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const gelu = (v: number): number => (v / 2) * (1 + erf(v * Math.SQRT1_2));
const silu = (v: number): number => v / (1 + Math.exp(-v));

interface Normalization {
  readonly groups: number;
  readonly epsilon: number;
  readonly active: boolean;
  readonly last: boolean;
}

/** Group normalization of `[N,H,W,C]`, or `[N,C,H,W]`. */
function normalized(
  image: Tensor,
  [scale, bias]: readonly [Tensor, Tensor],
  { groups, epsilon, active, last }: Normalization,
): Tensor {
  const channelOf = (index: number[]): number => (last ? index[3] : index[1]) as number;
  const size = scale.shape[0]! / groups;
  const statistics = new Map<string, { sum: number; squares: number; count: number }>();
  const key = (index: number[]): string => `${index[0]} ${Math.floor(channelOf(index) / size)}`;
  filled([...image.shape], (...index) => {
    const s = statistics.get(key(index)) ?? { sum: 0, squares: 0, count: 0 };
    const v = at(image, ...index);
    statistics.set(key(index), {
      sum: s.sum + v,
      squares: s.squares + v * v,
      count: s.count + 1,
    });
    return 0;
  });
  return filled([...image.shape], (...index) => {
    const { sum, squares, count } = statistics.get(key(index))!;
    const mean = sum / count;
    const deviation = Math.sqrt(squares / count - mean ** 2 + epsilon);
    const c = channelOf(index);
    const v = (scale.data[c]! * (at(image, ...index) - mean)) / deviation + bias.data[c]!;
    return active ? silu(v) : v;
  });
}

interface Row extends OneNode {
  /** What comes out, of what goes in. */
  readonly expected: (...inputs: Tensor[]) => Tensor[];
}

const affine = [
  { shape: [6], values: [1, 0.5, -1, 2, 0.3, 1.5] },
  { shape: [6], values: [0, 0.1, 0.2, -0.3, 1, 0] },
];
const [scale, bias] = affine.map(({ shape, values }) =>
  tensor(shape, Float32Array.from(values)),
) as [Tensor, Tensor];
const image = [2, 4, 3, 6];
const settings = (activation: number, last: number) => ({
  activation,
  channels_last: last,
  epsilon: { f: 0.01 },
  groups: 3,
});

const rows: Row[] = [
  {
    operator: 'NhwcConv',
    name: 'strides, pads, groups',
    slots: [x(1, 5, 4, 4), x(6, 3, 3, 2), x(6)],
    attributes: { group: 2, strides: [2, 1], pads: [1, 1, 1, 1], kernel_shape: [3, 3] },
    expected: (v, w, b) => [
      filled([1, 3, 4, 6], (n, i, j, c) => {
        let sum = b!.data[c]!;
        for (let k = 0; k < 3; k++)
          for (let l = 0; l < 3; l++)
            for (let d = 0; d < 2; d++)
              sum +=
                at(w!, c, k, l, d) * at(v!, n, 2 * i + k - 1, j + l - 1, Math.floor(c / 3) * 2 + d);
        return sum;
      }),
    ],
  },
  {
    operator: 'NhwcConv',
    name: '1×1, no bias',
    slots: [x(1, 2, 3, 2), x(4, 1, 1, 2)],
    expected: (v, w) => [
      filled([1, 2, 3, 4], (n, i, j, c) =>
        [0, 1].reduce((sum, d) => sum + at(w!, c, 0, 0, d) * at(v!, n, i, j, d), 0),
      ),
    ],
  },
  {
    operator: 'GroupNorm',
    name: 'SiLU',
    slots: [x(...image), ...affine],
    attributes: settings(1, 1),
    expected: (v) => [
      normalized(v!, [scale, bias], { groups: 3, epsilon: 0.01, active: true, last: true }),
    ],
  },
  {
    operator: 'GroupNorm',
    name: 'channels first',
    slots: [x(2, 6, 4, 3), ...affine],
    attributes: settings(0, 0),
    expected: (v) => [
      normalized(v!, [scale, bias], { groups: 3, epsilon: 0.01, active: false, last: false }),
    ],
  },
  ...[
    { name: 'an image', skip: image, of: (s: Tensor, i: number[]) => at(s, ...i) },
    {
      name: 'one pixel',
      skip: [2, 1, 1, 6],
      of: (s: Tensor, i: number[]) => at(s, i[0]!, 0, 0, i[3]!),
    },
    {
      name: 'a number a channel',
      skip: [2, 6],
      of: (s: Tensor, i: number[]) => at(s, i[0]!, i[3]!),
    },
  ].map(({ name, skip, of }): Row => ({
    operator: 'SkipGroupNorm',
    name,
    slots: [x(...image), ...affine, x(...skip), x(6)],
    attributes: settings(1, 1),
    outputs: [0, 1],
    expected: (v, s, b) => {
      const sum = filled(image, (...i) => at(v!, ...i) + of(s!, i) + b!.data[i[3]!]!);
      const by = { groups: 3, epsilon: 0.01, active: true, last: true };
      return [normalized(sum, [scale, bias], by), sum];
    },
  })),
  {
    operator: 'SkipGroupNorm',
    name: 'neither bias nor the sum',
    slots: [x(...image), ...affine, x(...image)],
    attributes: settings(0, 1),
    expected: (v, s) => {
      const sum = filled(image, (...i) => at(v!, ...i) + at(s!, ...i));
      return [
        normalized(sum, [scale, bias], { groups: 3, epsilon: 0.01, active: false, last: true }),
      ];
    },
  },
  {
    operator: 'BiasAdd',
    name: '',
    slots: [x(2, 3, 4), x(4), x(2, 3, 4)],
    expected: (v, b, s) => [
      filled([2, 3, 4], (...i) => at(v!, ...i) + b!.data[i[2]!]! + at(s!, ...i)),
    ],
  },
  {
    operator: 'BiasSplitGelu',
    name: '',
    slots: [x(2, 3, 8), x(8)],
    expected: (v, b) => [
      filled([2, 3, 4], (n, i, j) => {
        const biased = (k: number): number => at(v!, n, i, k) + b!.data[k]!;
        return biased(j) * gelu(biased(j + 4));
      }),
    ],
  },
];

describe.each([17, 21])('in operator set %i', (opset) => {
  test.each(rows)('$operator, $name', async (row) => {
    const feeds = feedsOf(row);
    const model = parseModel(modelOf(row, opset), { folder: '.', where: 'one.onnx' });
    const graph = await resolveGraph(model);
    expect(graph.nodes.filter((n) => n.domain !== '')).toEqual([]);
    const found = await runGraph(graph, feeds);
    for (const [i, e] of row.expected(...Object.values(feeds)).entries()) {
      const a = found[graph.outputs[i]!.name] as Tensor;
      expect(a.shape).toEqual(e.shape);
      expect(relativeError(a, e)).toBeLessThan(2e-6);
    }
    const output = graph.outputs[0]!.name;
    expect(() => differentiate(graph, { output, wrt: 'in.0' })).not.toThrow();
  });
});

test('every operator has a case', () => {
  expect([...new Set(rows.map((r) => r.operator))].sort()).toEqual(
    Object.keys(gpuOperators).sort(),
  );
});
