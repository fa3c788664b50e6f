/** Law cases of Fourier transforms. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { LawCase } from '../law.ts';
import { wave } from './case.ts';

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

/** Of a signal of 11 samples, with a frame after every second or third. */
const stft = (
  name: string,
  { step = 3, length = 4, windowed = true, onesided = 1 } = {},
): LawCase => ({
  name,
  operator: 'STFT',
  inputs: {
    x: { shape: [2, 11, 1] },
    ...(windowed && { window: { shape: [length] } }),
  },
  build: (b, { x, window }) =>
    b.op('STFT', [x, b.ints(step), window, b.ints(length)], { onesided }),
});

export const transforms: LawCase[] = [
  dft('real', [2, 6, 1], {}),
  dft('complex', [2, 5, 2], {}),
  dft('inverse', [2, 5, 2], { inverse: 1 }),
  dft('half a spectrum', [2, 4, 2], { inverse: 1, onesided: 1 }),
  dft('half a spectrum of an odd length', [2, 4, 2], { inverse: 1, onesided: 1 }, { length: 7 }),
  dft('half a spectrum, axis 2', [1, 2, 3, 2], { inverse: 1, onesided: 1 }, { axis: 2 }, 20),
  dft('axis 2', [1, 3, 4, 2], { axis: 2 }),
  dft('longer than the axis', [2, 5, 2], {}, { length: 8 }),
  dft('shorter than the axis', [2, 5, 1], {}, { length: 4 }),
  dft('one-sided', [2, 6, 1], { onesided: 1 }),
  dft('one-sided, odd', [2, 5, 1], { onesided: 1 }),
  dft('real', [2, 3, 4, 1], {}, { axis: 1 }, 20),
  dft('default axis, inverse', [2, 3, 4, 2], { inverse: 1 }, {}, 20),
  stft('one-sided'),
  stft('overlapping frames of an odd length', { step: 2, length: 5 }),
  stft('both sides', { onesided: 0 }),
  stft('without a window', { windowed: false }),
  {
    name: 'as long as a constant window',
    operator: 'STFT',
    inputs: { x: { shape: [1, 9, 1] } },
    build: (b, { x }) => b.op('STFT', [x, b.ints(2), b.constant(wave(4))]),
  },
];
