/** What the losses of a job are, by its method. */
import { expect, it } from 'vitest';
import { measurementLoss } from '../../src/guided/measured.ts';
import { operators } from '../../src/operators/operators.ts';
import { lossesOf } from '../../src/pipeline/job.ts';
import type { Method } from '../../src/pipeline/method.ts';
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
