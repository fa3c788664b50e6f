/** What the losses of a job are, by its method, and what its image is. */
import { expect, it } from 'vitest';
import { measurementLoss } from '../../src/guided/measured.ts';
import { operators } from '../../src/operators/operators.ts';
import { boxMask } from '../../src/operators/inpainting.ts';
import { lossesOf, shapeOf } from '../../src/pipeline/job.ts';
import type { Method } from '../../src/pipeline/method.ts';
import { noiseKey } from '../../src/tensor/noise.ts';
import { randomTensor } from '../helpers/random.ts';

const dsg = { name: 'dsg', rate: 0.1, interval: 1 } as const;
const operator = operators.superResolution({ scale: 4 });
const measurement = randomTensor('y', [3, 8, 8]);
const further = { name: 'image', losses: [measurementLoss(operator, measurement)] };
const job = { ...further, operator, measurement };

it.each<[string, Method, boolean]>([
  ['dsg, as published, does not', dsg, false],
  ['dps neither', { name: 'dps', stepSize: 1 }, false],
  ['pigdm does', { name: 'pigdm' }, true],
  ['dsg does where it is told to', { ...dsg, clipGradient: 'pass' }, true],
  ['pigdm does not where it is told not to', { name: 'pigdm', clipGradient: 'zero' }, false],
])('losses see through the clip: %s', (_, method, through) => {
  const losses = lossesOf(job, method);
  expect(losses).toHaveLength(2);
  for (const loss of losses) {
    expect(loss.throughClip ?? false).toBe(through);
    expect(loss.signature.startsWith('through clip*')).toBe(through);
  }
  const [made] = lossesOf({ ...further, size: { height: 32, width: 32 } }, method);
  expect(made!.throughClip ?? false).toBe(through);
});

const card = {
  prediction: 'epsilon',
  learnedVariance: false,
  clip: true,
  range: '[-1,1]',
  schedule: { name: 'linear', timesteps: 1000 },
  rescaleTimesteps: false,
  timestepScale: 1,
  inputs: { x: 'x', timestep: 't' },
  output: 'eps',
  conditioning: {},
  multiple: 1,
  presets: 'any',
} as const;
const colour = { file: 'colour.onnx', channels: 3, card };
const latents = {
  file: 'latents',
  channels: 4,
  card: { ...card, latent: { factor: 8, scaling: 1 } },
};
const mask = boxMask(16, 16, noiseKey(0, 'mask'));
const degradations = { sr: operator, inpaint: operators.inpainting({ mask }) };

it('an image has the size that its measurement tells, and the channels of the model', () => {
  expect(shapeOf(job, colour)).toEqual([3, 32, 32]);
  expect(shapeOf(job, latents)).toEqual([3, 32, 32]);
  const grey = { ...job, measurement: randomTensor('grey', [1, 8, 8]) };
  expect(shapeOf(grey, { ...colour, channels: 1 })).toEqual([1, 32, 32]);
});

it.each<[keyof typeof degradations, number[], string]>([
  ['sr', [1, 8, 8], 'image: a measurement [1,8,8], expected [3,8,8] of images [3,32,32]'],
  ['sr', [4, 8, 8], 'image: a measurement [4,8,8], expected [3,8,8] of images [3,32,32]'],
  [
    'inpaint',
    [1, 16, 16],
    'image: a measurement [1,16,16], expected [3,16,16] of images [3,16,16]',
  ],
  ['inpaint', [3, 8, 8], 'mask: 16×16, but the image is 8×8'],
  ['sr', [8, 8], 'expected an image [C,H,W], got [8,8]'],
  ['sr', [1, 3, 8, 8], 'expected an image [C,H,W], got [1,3,8,8]'],
])('a measurement by %s of %j is none of a colour image', (task, shape, message) => {
  const odd = { ...job, operator: degradations[task], measurement: randomTensor('y', shape) };
  expect(() => shapeOf(odd, colour)).toThrow(
    expect.objectContaining({ name: 'UserError', message }),
  );
});

it.each([-1, NaN, Infinity])('noise of %d is none', (sigma) => {
  expect(() => lossesOf({ ...job, sigma })).toThrow(
    expect.objectContaining({
      name: 'UserError',
      message: `noise: sigma ${sigma}, expected a finite number from 0`,
    }),
  );
});
