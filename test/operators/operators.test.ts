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
  it('hides exactly ⌊HWp⌋ pixels, p between 0.3 and 0.7, differently by key', () => {
    const fractions = Array.from({ length: 20 }, (_, i) => {
      const mask = randomMask(16, 24, noiseKey(i, 'mask'));
      return mask.data.filter((v) => v === 0).length / mask.data.length;
    });
    for (const p of fractions) expect(p).toBeGreaterThan(0.29);
    for (const p of fractions) expect(p).toBeLessThanOrEqual(0.7);
    expect(new Set(fractions).size).toBeGreaterThan(15);
    expect(randomMask(16, 24, key)).toEqual(randomMask(16, 24, key));
  });

  it('hides a box of half the side, 16/256 of the side away from the edges', () => {
    for (let i = 0; i < 20; i++) {
      const mask = boxMask(64, 64, noiseKey(i, 'box'));
      const hidden = [...mask.data.keys()].filter((j) => mask.data[j] === 0);
      expect(hidden).toHaveLength(32 * 32);
      const rows = hidden.map((j) => Math.floor(j / 64));
      expect(Math.min(...rows)).toBeGreaterThanOrEqual(4);
      expect(Math.max(...rows)).toBeLessThan(60);
    }
  });

  it('refuses a mask of another size, or with greys', () => {
    const operator = operators.inpainting({ mask: boxMask(32, 32, key) });
    expect(() => operator.measured([3, 32, 30])).toThrow(/mask: 32×32, but the image is 30×32/);
    const grey = tensor([1, 1, 2], Float32Array.of(0.5, 1));
    expect(() => operators.inpainting({ mask: grey })).toThrow(/0.5 is neither 0/);
  });
});
