import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { preset } from '../../src/guidance/presets.ts';

/** Yang et al. (2024), appendix, table 3: task, steps, interval, rate. Deblurring at 20 is ours. */
const DSG_TABLE: [string, number, number, number][] = [
  ['inpaint', 1000, 5, 0.2],
  ['inpaint', 100, 1, 0.2],
  ['inpaint', 50, 1, 0.2],
  ['inpaint', 20, 1, 0.2],
  ['sr', 1000, 20, 0.2],
  ['sr', 100, 2, 0.1],
  ['sr', 50, 1, 0.1],
  ['sr', 20, 1, 0.2],
  ['deblur', 1000, 5, 0.2],
  ['deblur', 100, 1, 0.1],
  ['deblur', 50, 1, 0.1],
  ['deblur', 20, 1, 0.1],
];

describe('presets of the articles', () => {
  it.each(DSG_TABLE)('dsg, %s in %i steps: interval %i, rate %f', (task, steps, interval, rate) => {
    expect(preset(task, 'dsg', steps)).toEqual({ interval, rate });
  });

  it.each([
    ['inpaint', 0.5],
    ['sr', 0.3],
    ['deblur', 0.3],
  ])('dps, %s: step size %f, whatever the step count', (task, stepSize) => {
    for (const steps of [20, 100, 1000]) expect(preset(task, 'dps', steps)).toEqual({ stepSize });
  });

  // Super-resolution in 20 steps: rate 0.2; 50: rate 0.1, interval 1; 100: interval 2; 1000: 20.
  it.each([
    ['below all', 1, { interval: 1, rate: 0.2 }],
    ['nearer to 20', 34, { interval: 1, rate: 0.2 }],
    ['between 20 and 50: the larger', 35, { interval: 1, rate: 0.1 }],
    ['between 50 and 100: the larger', 75, { interval: 2, rate: 0.1 }],
    ['nearer to 100', 549, { interval: 2, rate: 0.1 }],
    ['between 100 and 1000: the larger', 550, { interval: 20, rate: 0.2 }],
    ['above all', 4000, { interval: 20, rate: 0.2 }],
  ])('go by the nearest step count: %s', (_, steps, expected) => {
    expect(preset('sr', 'dsg', steps)).toEqual(expected);
  });

  it.each([
    ['dehaze', undefined, /no presets for task 'dehaze'/, /inpaint, sr, deblur/],
    ['toString', undefined, /no presets for task 'toString'/, /inpaint/],
    ['sr', 'imagenet', /no presets for prior 'imagenet'/, /article/],
  ])('for task %s and prior %s are refused', (task, prior, message, hint) => {
    const error = catchError(() => preset(task, 'dsg', 100, prior));
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });
});

describe('presets of the default prior', () => {
  const card = readFileSync(new URL('../../models/default.card.json', import.meta.url), 'utf8');
  const { presets } = JSON.parse(card);

  it.each(['inpaint', 'sr', 'deblur'])(
    '%s: DPS steps further the fewer steps there are',
    (task) => {
      const [few, some, many] = [20, 50, 100].map((n) => preset(task, 'dps', n, presets).stepSize);
      expect(few).toBeGreaterThan(some!);
      expect(some).toBeGreaterThan(many!);
      expect(preset(task, 'dps', 20, presets).side).toBe(256);
      // The articles' own step size, for 1000 steps and another network, is of another order.
      expect(many! / preset(task, 'dps', 100).stepSize).toBeGreaterThan(10);
    },
  );
});

it('every step count of configs/presets.json can be had by its prior, task and method', () => {
  const url = new URL('../../configs/presets.json', import.meta.url);
  const { priors } = JSON.parse(readFileSync(url, 'utf8'));
  for (const [prior, tasks] of Object.entries<Record<string, object>>(priors))
    for (const [task, methods] of Object.entries(tasks))
      for (const [method, { steps }] of Object.entries(methods))
        for (const [count, values] of Object.entries(steps))
          expect(preset(task, method as 'dps' | 'dsg', Number(count), prior)).toEqual(values);
});

function catchError(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
