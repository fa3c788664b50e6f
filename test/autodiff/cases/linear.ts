/** Law cases of matrix products, contractions and transforms. */
import type { LawCase } from '../law.ts';
import { onX } from './case.ts';

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
  einsum('bii->bi', [2, 3, 3]),
  einsum('ii->', [3, 3]),
  einsum('ii,ij->j', [3, 3], [3, 4]),
  einsum('ijij,i->j', [2, 3, 2, 3], [2]),
  einsum('ij,ij->', [2, 3], [2, 3]),
  einsum('bij,bjk->ik', [2, 3, 2], [2, 2, 3]),
  einsum('abc,cd,be->ade', [2, 3, 2], [2, 4], [3, 2]),
  onX('Det', 'one number', [1, 1]),
  onX('Det', '2×2', [2, 2]),
  onX('Det', '3×3', [3, 3]),
  onX('Det', '4×4, many', [2, 3, 4, 4]),
  onX('Det', '7×7', [2, 7, 7], { opset: 22 }),
  onX('Det', 'of rank 2 of 3', [3, 3], { values: [1, 2, 3, 2, 4, 6, -1, 0, 1] }),
];
