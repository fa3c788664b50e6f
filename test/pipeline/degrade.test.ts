/** Measurements of clean images: what is no image, and no noise, is refused. */
import { expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { superResolution } from '../../src/operators/superresolution.ts';
import { applyOperator, degrade } from '../../src/pipeline/degrade.ts';
import { randomTensor } from '../helpers/random.ts';

const operator = superResolution({ scale: 2 });
const image = randomTensor('clean', [3, 8, 8]);
const noise = { sigma: 0.05, seed: 0, name: 'x' };

it.each([[[8, 8]], [[1, 3, 8, 8]]])('an operator takes no %j', async (shape) => {
  const call = applyOperator(operator, randomTensor('odd', shape));
  await expect(call).rejects.toThrow(UserError);
  await expect(call).rejects.toThrow(`expected an image [C,H,W], got [${shape.join()}]`);
});

it.each([
  [{ sigma: -1 }, 'noise: sigma -1, expected a finite number from 0'],
  [{ sigma: NaN }, 'noise: sigma NaN, expected a finite number from 0'],
  [{ sigma: Infinity }, 'noise: sigma Infinity, expected a finite number from 0'],
  [{ seed: NaN }, 'seed NaN, expected an integer from 0'],
])('refuses %o', async (odd, message) => {
  await expect(degrade(operator, image, { ...noise, ...odd })).rejects.toThrow(
    expect.objectContaining({ name: 'UserError', message }),
  );
});
