/** Gradients of exported networks against PyTorch's autograd. */
import { describe, expect, test } from 'vitest';
import { testData } from '../helpers/data.ts';
import { exportCases, gradientsOf } from '../helpers/exports.ts';
import { relativeError } from '../helpers/random.ts';

const root = testData('vjp');

describe.skipIf(!root)('networks exported by PyTorch', () => {
  for (const c of exportCases(root))
    test.each(c.files)(`tier ${c.tier}: ${c.name}/%s`, async (file) => {
      const { gradient, reference } = await gradientsOf(c, file);
      expect(gradient.shape).toEqual(reference.shape);
      // The largest deviation over the largest magnitude.
      expect(relativeError(gradient, reference)).toBeLessThan(c.tolerance);
    });
});
