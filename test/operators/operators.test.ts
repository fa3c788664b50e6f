/** Each degradation against its definition. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { UserError } from '../../src/errors.ts';
import { operatorGraph } from '../../src/guided/guided.ts';
import { gaussianTaps } from '../../src/operators/blur.ts';
import { boxMask, randomMask } from '../../src/operators/inpainting.ts';
import { operators } from '../../src/operators/operators.ts';
import { reductionMatrix } from '../../src/operators/superresolution.ts';
import { noiseKey } from '../../src/tensor/noise.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { testData } from '../helpers/data.ts';
import { relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const key = noiseKey(3, 'operators');

describe('Gaussian blur', () => {
  it('has the taps of scipy.ndimage.gaussian_filter, truncated at 4σ', () => {
    const taps = gaussianTaps(61, 3);
    expect(taps).toHaveLength(25);
    // python3 -c "import numpy as np; from scipy.ndimage import gaussian_filter1d as g;
    //   k = g(np.eye(61)[30], 3); print(k[30], k[31], k[42], k[43])"
    expect(taps[12]).toBeCloseTo(0.1329845385507837, 14);
    expect(taps[13]).toBeCloseTo(0.12579798346031065, 14);
    expect(taps[24]).toBeCloseTo(4.46113427726488e-5, 14);
  });

  it('reflects at the edge without repeating it', async () => {
    const operator = operators.gaussianBlur({ size: 3, std: 1 });
    const [side = 0, middle = 0] = gaussianTaps(3, 1);
    const x = tensor([1, 1, 2, 3], Float32Array.of(1, 2, 4, 1, 2, 4));
    const { y } = await runGraph(operatorGraph(operator, [1, 2, 3]), { x });
    const row = [middle + 4 * side, 5 * side + 2 * middle, 4 * middle + 4 * side];
    [...row, ...row].forEach((v, i) => expect(y!.data[i]).toBeCloseTo(v, 5));
  });

  it.each([
    [{ size: 4, std: 3 }, /kernel size 4 is not an odd number/],
    [{ size: 61, std: 0 }, /standard deviation 0 is not above 0/],
  ])('refuses %o', (options, message) => {
    expect(() => operators.gaussianBlur(options)).toThrow(message);
  });

  it('refuses an image smaller than its reach', () => {
    expect(() => operators.gaussianBlur({ size: 61, std: 3 }).measured([3, 12, 40])).toThrow(
      /40×12 is too small for a kernel that reaches 12 pixels/,
    );
  });
});

describe('kernel blur', () => {
  it('correlates: the kernel is not flipped', async () => {
    const kernel = tensor([1, 3], Float32Array.of(1, 0, 0));
    const x = tensor([1, 1, 1, 4], Float32Array.of(1, 2, 3, 4));
    const { y } = await runGraph(operatorGraph(operators.kernelBlur({ kernel }), [1, 1, 4]), { x });
    expect([...y!.data]).toEqual([2, 1, 2, 3]);
  });

  it('agrees with the separable Gaussian', async () => {
    const taps = gaussianTaps(9, 1.5);
    const n = taps.length;
    const kernel = tensor(
      [n, n],
      Float32Array.from({ length: n * n }, (_, i) => taps[Math.floor(i / n)]! * taps[i % n]!),
    );
    const x = tensor(
      [1, 3, 12, 10],
      Float32Array.from({ length: 360 }, (_, i) => Math.sin(i * i)),
    );
    const run = async (operator: ReturnType<typeof operators.kernelBlur>) =>
      (await runGraph(operatorGraph(operator, [3, 12, 10]), { x }))['y']!;
    const direct = await run(operators.kernelBlur({ kernel }));
    const separable = await run(operators.gaussianBlur({ size: 9, std: 1.5 }));
    expect(relativeError(direct, separable)).toBeLessThan(1e-5);
  });

  it('refuses even sides', () => {
    const kernel = tensor([2, 3], new Float32Array(6));
    expect(() => operators.kernelBlur({ kernel })).toThrow(/two odd sides, this one is \[2,3\]/);
  });

  it.each([NaN, Infinity])('refuses a kernel with %d', (value) => {
    const kernel = tensor([1, 3], Float32Array.of(0, value, 0));
    expect(() => operators.kernelBlur({ kernel })).toThrow(
      new UserError(`blur: expected a kernel of finite values, got ${value} at index 1`),
    );
  });
});

describe('super-resolution', () => {
  it('mirrors with the edge repeated, and sums to 1', () => {
    const { data, rows, columns } = reductionMatrix(8, 4);
    expect([rows, columns]).toEqual([2, 8]);
    for (let i = 0; i < rows; i++) {
      const row = data.subarray(i * columns, (i + 1) * columns);
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    }
    // The second row is the first one mirrored.
    expect([...data.subarray(8)].reverse()).toEqual([...data.subarray(0, 8)]);
  });

  // MATLAB's contributions() in imresize.m, for 'bicubic' with antialiasing, evaluated in Python's
  // fractions: u = x s + (1 - s) / 2, cubic((u - i) / s) / s, over their sum, indices mirrored.
  it.each([
    [16, 4, 0, 4096, [1144, 1080, 938, 670, 354, 86, -49, -75, -45, -7, 0, 0, 0, 0, 0, 0]],
    [16, 4, 1, 4096, [-120, -56, 93, 399, 745, 987, 987, 745, 399, 93, -49, -75, -45, -7, 0, 0]],
    [9, 3, 0, 81, [30, 27, 19, 8, 0, -2, -1, 0, 0]],
    [9, 3, 1, 27, [-1, 0, 3, 7, 9, 7, 3, 0, -1]],
    [9, 3, 2, 81, [0, 0, -1, -2, 0, 8, 19, 27, 30]],
  ])('has the weights of imresize: %i by %i, row %i', (size, factor, row, over, weights) => {
    const { data } = reductionMatrix(size, factor);
    const found = [...data.subarray(row * size, (row + 1) * size)];
    expect(found).toEqual(weights.map((w) => expect.closeTo(w / over, 12)));
  });

  it('refuses sizes that do not divide', () => {
    expect(() => operators.superResolution({ scale: 4 }).measured([3, 10, 12])).toThrow(
      /12×10 does not divide by 4/,
    );
  });

  it('refuses images smaller than the scale, which no cropping helps', () => {
    expect(() => operators.superResolution({ scale: 4 }).measured([3, 3, 12])).toThrow(
      /12×3 is too small/,
    );
  });

  it.each([1, 2.5, -4])('refuses scale %d', (scale) => {
    expect(() => operators.superResolution({ scale })).toThrow(/not an integer of at least 2/);
  });

  const folder = testData('vjp/op_bicubic_resizer');
  it.skipIf(!folder)('has the adjoint of the resizer in the published code', async () => {
    const at = (name: string) => path.join(folder!, `${name}.npy`);
    const [x, v, expected] = await Promise.all(
      ['in_x', 'cotangent', 'gradient'].map((n) => readNpy(at(n))),
    );
    const planes = ({ shape: [n = 0, c = 0, h = 0, w = 0], data }: Tensor): Tensor =>
      tensor([1, n * c, h, w], data);
    const [, c = 0, h = 0, w = 0] = planes(x!).shape;
    const scale = h / (v!.shape[2] ?? 1);
    const graph = operatorGraph(operators.superResolution({ scale }), [c, h, w]);
    const feeds = { x: planes(x!), 'y.cotangent': planes(v!) };
    const out = await runGraph(differentiate(graph), feeds);
    expect(relativeError(out['x.gradient']!, expected!)).toBeLessThan(1e-5);
  });
});

describe('inpainting masks', () => {
  const drawn = ({ shape: [, , w = 0], data }: Tensor): string[] =>
    Array.from({ length: data.length / w }, (_, y) =>
      Array.from(data.subarray(y * w, (y + 1) * w), (kept) => (kept ? '.' : '#')).join(''),
    );

  // Printed by the Philox in Python integers of noise.test.ts: p = 0.3 + 0.4 u_0, and the ⌊HWp⌋
  // pixels of the smallest u_i + 1 are hidden.
  it('hides the pixels of the smallest draws', () =>
    expect(drawn(randomMask(6, 8, key))).toEqual([
      '.####.#.',
      '#...#.##',
      '....#.##',
      '.#.#..##',
      '.##.#.##',
      '###.####',
    ]));

  it('hides exactly ⌊HWp⌋ pixels, p anywhere between 0.3 and 0.7 by key', () => {
    const fractions = Array.from({ length: 200 }, (_, i) => {
      const mask = randomMask(16, 24, noiseKey(i, 'mask'));
      return mask.data.filter((v) => v === 0).length / mask.data.length;
    });
    expect(Math.min(...fractions)).toBeGreaterThan(0.299);
    expect(Math.min(...fractions)).toBeLessThan(0.31);
    expect(Math.max(...fractions)).toBeGreaterThan(0.69);
    expect(Math.max(...fractions)).toBeLessThanOrEqual(0.7);
    expect(randomMask(16, 24, key)).toEqual(randomMask(16, 24, key));
  });

  /** The first and the last of the rows and columns that are hidden, which must be a box. */
  function box(mask: Tensor): { rows: [number, number]; columns: [number, number] } {
    const [, , w = 0] = mask.shape;
    const hidden = [...mask.data.keys()].filter((i) => mask.data[i] === 0);
    const ends = (all: number[]): [number, number] => [Math.min(...all), Math.max(...all)];
    const rows = ends(hidden.map((i) => Math.floor(i / w)));
    const columns = ends(hidden.map((i) => i % w));
    expect(hidden).toHaveLength((rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1));
    return { rows, columns };
  }

  // Printed as the random mask was: u_0 places the rows, u_1 the columns.
  it.each([
    [0, { rows: [24, 55], columns: [15, 62] }],
    [2, { rows: [16, 47], columns: [12, 59] }],
    [3, { rows: [19, 50], columns: [22, 69] }],
  ])('hides a box where key %i says', (i, place) =>
    expect(box(boxMask(64, 96, noiseKey(i, 'box')))).toEqual(place),
  );

  it('hides a box of half the sides, anywhere but within 16/256 of them from the edges', () => {
    const boxes = Array.from({ length: 200 }, (_, i) => box(boxMask(64, 96, noiseKey(i, 'box'))));
    for (const { rows, columns } of boxes)
      expect([rows[1] - rows[0], columns[1] - columns[0]]).toEqual([31, 47]);
    const extent = (spans: [number, number][]) => [
      Math.min(...spans.map(([first]) => first)),
      Math.max(...spans.map(([, last]) => last)),
    ];
    // Four rows and six columns at the edges stay; so many boxes come near to them.
    expect(extent(boxes.map(({ rows }) => rows))).toEqual([4, 58]);
    expect(extent(boxes.map(({ columns }) => columns))).toEqual([6, 88]);
  });

  it('refuses a mask of another size, or with greys', () => {
    const operator = operators.inpainting({ mask: boxMask(32, 32, key) });
    expect(() => operator.measured([3, 32, 30])).toThrow(/mask: 32×32, but the image is 30×32/);
    const grey = tensor([1, 1, 2], Float32Array.of(0.5, 1));
    expect(() => operators.inpainting({ mask: grey })).toThrow(/0.5 is neither 0/);
  });
});
