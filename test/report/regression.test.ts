/** When quality counts as fallen. */
import { describe, expect, test } from 'vitest';
import { catalogue } from '../../src/metrics/catalogue.ts';
import {
  behindBaseline,
  belowLimits,
  otherSettings,
  refuseIncomparable,
  refuseOtherMetrics,
  shortfallTable,
  subjectsOf,
} from '../../src/report/regression.ts';
import { toText } from '../../src/report/table.ts';
import { fixture, measurement } from './fixture.ts';

const subject = (scores: Record<string, number>) => [{ name: 'sr dsg 20', scores }];

test.each([
  [{ psnr: 25 }, { min: { psnr: 25 }, max: {} }, []],
  [{ psnr: 24.9 }, { min: { psnr: 25 }, max: {} }, ['at least 25']],
  [{ psnr: Infinity }, { min: { psnr: 25 }, max: {} }, []],
  [{ lpips: 0.3 }, { min: {}, max: { lpips: 0.2 } }, ['at most 0.2']],
  [{ lpips: 0.2 }, { min: {}, max: { lpips: 0.2 } }, []],
  [{ ssim: 0.5 }, { min: { psnr: 25, ssim: 0.6 }, max: {} }, ['at least 25', 'at least 0.6']],
])('limits: %j under %j', (scores, limits, needed) =>
  expect(belowLimits(subject(scores), limits).map((s) => s.needed)).toEqual(needed),
);

// Dyadic numbers, so that differences are exact.
test.each([
  ['psnr', 25, 25, 0, false],
  ['psnr', 24.875, 25, 0.125, false],
  ['psnr', 24.75, 25, 0.125, true],
  ['psnr', 30, 25, 0, false],
  ['psnr', Infinity, Infinity, 0, false],
  ['psnr', 25, Infinity, 0.125, true],
  ['psnr', NaN, 25, 0.125, true],
  ['psnr', 25, NaN, 0, false],
  ['psnr', NaN, NaN, 0, false],
  ['lpips', 0.5, 0.25, 0.125, true],
  ['lpips', 0.25, 0.5, 0, false],
  ['residualRatio', 0.5, 1.25, 0.125, true],
  ['residualRatio', 0.75, 1.25, 0, false],
])('%s of %d after %d, tolerance %d', (metric, now, before, tolerance, falls) => {
  const found = behindBaseline(
    subject({ [metric]: now }),
    subject({ [metric]: before }),
    { [metric]: tolerance },
    catalogue,
  );
  expect(found.length > 0).toBe(falls);
});

test('what is no longer there fell short; what is new, or not compared, did not', () => {
  const before = [...subject({ psnr: 25, ssim: 0.5 }), { name: 'gone', scores: { psnr: 20 } }];
  const now = [...subject({ psnr: 25, ssim: 0.1 }), { name: 'new', scores: { psnr: 1 } }];
  expect(behindBaseline(now, before, { psnr: 0.1 }, catalogue)).toEqual([
    { name: 'gone', metric: 'psnr', value: undefined, needed: '20 as before, tolerance 0.1' },
  ]);
});

describe('runs that cannot be compared', () => {
  const now = fixture();
  const other = (change: object) => ({
    ...fixture(),
    measurements: now.measurements.map((m) => ({ ...m, ...change })),
  });
  test.each([
    ['another mask', other({ sha256: 'f'.repeat(64) }), 'another operator or mask in sr of cat'],
    ['other noise', other({ sigma: 0.1 }), 'sr of cat has noise 0.1 of seed 0, not 0.05 of 0'],
    ['another seed', other({ seed: 3 }), 'noise 0.05 of seed 3, not 0.05 of 0'],
    ['another image', fixture({ images: ['cat'] }), 'old.json: has no sr of deep/dog'],
    [
      'another file of that name',
      { ...fixture(), images: now.images.map((i) => ({ ...i, sha256: 'e'.repeat(64) })) },
      'made from another file of cat',
    ],
    [
      'more images',
      fixture({ images: ['cat', 'ant', 'deep/dog', 'bee'] }),
      'has 4 more: sr of ant, inpaint of ant, sr of bee, inpaint of bee; means would be of other',
    ],
    ['more samples', fixture({ samples: 2 }), 'made with --samples 2, not 1'],
    [
      'a restoration that failed',
      { ...now, cells: now.cells.slice(1) },
      'sr dsg 20 has 1 of 2 restorations; others failed',
    ],
  ])('%s', (_, before, message) =>
    expect(() => refuseIncomparable(now, before, 'old.json')).toThrow(message),
  );

  test('a run with more tasks can be a baseline, whatever its other tasks are of', () => {
    const more = fixture({
      tasks: ['sr', 'inpaint', 'deblur'],
      images: ['cat', 'deep/dog', 'ant'],
    });
    const others = ({ image, task }: { image: string; task: string }): boolean =>
      image !== 'ant' || task === 'deblur';
    const before = {
      ...more,
      measurements: more.measurements.filter(others),
      cells: more.cells.filter(others),
    };
    expect(() => refuseIncomparable(now, before, 'old.json')).not.toThrow();
    expect(measurement().seed).toBe(0);
  });
});

test('a metric that was defined otherwise is not compared', () => {
  const now = fixture();
  const { psnr, ...rest } = now.metrics;
  const before = { metrics: { ...rest, psnr: { ...psnr!, definition: 'of medians' } } };
  const compare = (...metrics: string[]) => refuseOtherMetrics(now, before, metrics, 'old.json');
  expect(() => compare('ssim', 'fid')).not.toThrow();
  expect(() => compare('ssim', 'psnr')).toThrow('old.json: psnr is there defined as: of medians');
});

describe('a metric by a network', () => {
  const by = (files?: string[]) => ({
    metrics: { lpips: { ...fixture().metrics['ssim']!, ...(files && { files }) } },
  });
  const compare = (before: ReturnType<typeof by>) => () =>
    refuseOtherMetrics(by(['a', 'b']), before, ['lpips'], 'old.json');

  test('is compared with one by the same files', () =>
    expect(compare(by(['a', 'b']))).not.toThrow());

  test.each([
    ['other weights', by(['a', 'c']), 'lpips is there by another network, or other weights'],
    ['who knows which', by(), 'does not say of which files the network of lpips was'],
  ])('is not compared with one by %s', (_, before, message) =>
    expect(compare(before)).toThrow(`old.json: ${message}`),
  );
});

describe('settings of an earlier run', () => {
  const usual = { task: 'sr', method: 'dsg', steps: 20 };
  const set = (settings: string, key = {}) => ({ ...usual, ...key, settings });
  test.each([
    ['the same', 'dsg rate 0.1 interval 1, ddim eta 1', []],
    ['of the sampler', 'dsg rate 0.1 interval 1, ddim eta 0.5', ['eta 0.5, not 1']],
    [
      'that are not given now',
      'dsg rate 0.1 interval 1, ddim eta 1 temperature 0.9',
      ['temperature 0.9, not unset'],
    ],
    [
      'of another sampler',
      'dsg rate 0.1 interval 1, ddpm variance fixed_small',
      ['sampler ddpm, not ddim', 'variance fixed_small, not unset', 'eta unset, not 1'],
    ],
    ['of the method', 'dsg rate 0.2, ddim eta 1', ['rate 0.2, not 0.1', 'interval unset, not 1']],
    [
      'of what the network was told',
      "'cat, dog', cfg scale 1, dsg rate 0.1 interval 1, ddim eta 1",
      ["condition 'cat, dog', cfg scale 1, not unset"],
    ],
  ])('%s', (_, before, differences) =>
    expect(otherSettings([set('dsg rate 0.1 interval 1, ddim eta 1')], [set(before)])).toEqual(
      differences,
    ),
  );

  test('are said once, with their groups if not of all; groups that one run lacks do not count', () => {
    const [more, inpaint] = [{ steps: 50 }, { task: 'inpaint' }];
    const now = [
      set('dsg, ddim eta 1'),
      set('dsg, ddim eta 1', more),
      set('dsg, ddim eta 1', inpaint),
    ];
    const before = [
      set('dsg, ddim eta 0 temperature 2'),
      set('dsg, ddim eta 0', more),
      set('dsg, ddim eta 0 temperature 2', inpaint),
      set('dsg, ddpm variance fixed_large', { steps: 100 }),
    ];
    expect(otherSettings([...now, set('dsg, ddim eta 1', { method: 'dps' })], before)).toEqual([
      'eta 0, not 1',
      'temperature 2, not unset in sr dsg 20, inpaint dsg 20',
    ]);
  });
});

test('the table of what fell short', () => {
  const found = belowLimits(subjectsOf(fixture({ tasks: ['sr'], steps: [20] })), {
    min: { psnr: 26, lpips: 0 },
    max: {},
  });
  expect(toText(shortfallTable(found))).toMatchInlineSnapshot(`
    "fell short  metric    value  needed
    sr dsg 20   lpips         –  at least 0
    sr dps 20   psnr    25.0000  at least 26
    sr dps 20   lpips         –  at least 0
    "
  `);
});
