/** Law cases of matrix products, contractions and transforms. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { LawCase } from '../law.ts';

const wave = (n: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(1.7 * i + 0.3));

const matMul = ([a, b]: [number[], number[]]): LawCase => ({
  name: `[${a}] × [${b}]`,
  operator: 'MatMul',
  inputs: { a: { shape: a }, b: { shape: b } },
  build: (g, { a, b }) => g.op('MatMul', [a, b]),
});

const byWeights = (shape: number[]): LawCase => ({
  name: `[${shape}] × constant [3,4]`,
  operator: 'MatMul',
  inputs: { x: { shape } },
  build: (g, { x }) => g.op('MatMul', [x, g.constant(wave(12), 'float32', [3, 4])]),
});

const gemm = (transA: number, transB: number, c?: number[]): LawCase => ({
  name: `transA ${transA}, transB ${transB}, ${c ? `C [${c}]` : 'no C'}`,
  operator: 'Gemm',
  inputs: {
    a: { shape: transA ? [3, 2] : [2, 3] },
    b: { shape: transB ? [4, 3] : [3, 4] },
    ...(c && { c: { shape: c } }),
  },
  build: (g, { a, b, c }) =>
    g.op('Gemm', [a, b, c], { transA, transB, alpha: 0.5, ...(c && { beta: -1.5 }) }),
});

const einsum = (equation: string, ...shapes: number[][]): LawCase => ({
  name: equation,
  operator: 'Einsum',
  inputs: Object.fromEntries(shapes.map((shape, i) => [`x${i}`, { shape }])),
  build: (g, x) => g.op('Einsum', Object.values(x), { equation }),
});

const dft = (
  name: string,
  shape: number[],
  attributes: Attributes,
  { length, axis }: { length?: number; axis?: number } = {},
  opset = 17,
): LawCase => ({
  name: `${name}, opset ${opset}`,
  operator: 'DFT',
  inputs: { x: { shape } },
  opset,
  build: (g, { x }) => {
    const count = length === undefined ? undefined : g.ints(length);
    return g.op('DFT', [x, count, axis === undefined ? undefined : g.ints(axis)], attributes);
  },
});

export const linear: LawCase[] = [
  ...(
    [
      [
        [2, 3],
        [3, 4],
      ],
      [[3], [3]],
      [[3], [3, 4]],
      [[2, 3], [3]],
      [
        [2, 2, 3],
        [3, 4],
      ],
      [[2, 2, 3], [3]],
      [[3], [2, 3, 4]],
      [
        [2, 3],
        [2, 3, 4],
      ],
      [
        [2, 1, 2, 3],
        [4, 3, 2],
      ],
    ] as [number[], number[]][]
  ).map(matMul),
  byWeights([2, 3]),
  byWeights([2, 2, 3]),
  byWeights([3]),
  gemm(0, 0),
  gemm(0, 1, [4]),
  gemm(1, 0, [2, 1]),
  gemm(1, 1, [1]),
  gemm(0, 0, [2, 4]),
  einsum('bct,bcs->bts', [2, 3, 4], [2, 3, 5]),
  einsum('bts,bcs->bct', [2, 4, 5], [2, 3, 5]),
  einsum('ij->ji', [2, 3]),
  einsum('ij->i', [2, 3]),
  einsum('ij,jk->ik', [2, 3], [3, 4]),
  einsum('i,j->ij', [2], [3]),
  einsum('...ij,...jk->...ik', [2, 3, 4], [2, 4, 5]),
  einsum('...ij,jk->...ik', [2, 2, 3, 4], [4, 5]),
  einsum('...i,...i', [2, 1, 4], [1, 3, 4]),
  einsum('b...,b', [2, 3, 2], [2]),
  einsum('ij,k->k', [2, 3], [4]),
  einsum('ij,ij->', [2, 3], [2, 3]),
  einsum('bij,bjk->ik', [2, 3, 2], [2, 2, 3]),
  einsum('abc,cd,be->ade', [2, 3, 2], [2, 4], [3, 2]),
  dft('real', [2, 6, 1], {}),
  dft('complex', [2, 5, 2], {}),
  dft('inverse', [2, 5, 2], { inverse: 1 }),
  dft('axis 2', [1, 3, 4, 2], { axis: 2 }),
  dft('longer than the axis', [2, 5, 2], {}, { length: 8 }),
  dft('shorter than the axis', [2, 5, 1], {}, { length: 4 }),
  dft('one-sided', [2, 6, 1], { onesided: 1 }),
  dft('one-sided, odd', [2, 5, 1], { onesided: 1 }),
  dft('real', [2, 3, 4, 1], {}, { axis: 1 }, 20),
  dft('default axis, inverse', [2, 3, 4, 2], { inverse: 1 }, {}, 20),
];
