/** results.json: what is written is read alike, and what is wrong is named. */
import { expect, test } from 'vitest';
import { parseResults, serializeResults } from '../../src/report/results.ts';
import { fixture } from './fixture.ts';

test('a round trip', () => {
  const results = fixture({ samples: 2 });
  expect(parseResults(serializeResults(results), 'x')).toEqual(results);
});

test('an infinite PSNR survives as null', () => {
  const results = fixture();
  results.cells[0]!.scores['psnr'] = Infinity;
  const text = serializeResults(results);
  expect(text).toContain('"psnr": null');
  expect(parseResults(text, 'x').cells[0]!.scores['psnr']).toBe(Infinity);
});

test.each([NaN, -Infinity])('%d survives as what it is', (value) => {
  const results = fixture();
  results.cells[0]!.scores['psnr'] = value;
  results.groups[0]!.statistics['psnr'] = { mean: value };
  expect(parseResults(serializeResults(results), 'x')).toEqual(results);
});

/** The text of results with one place changed. */
function changed(change: (results: Record<string, never>) => void): string {
  const content = JSON.parse(serializeResults(fixture()));
  change(content);
  return JSON.stringify(content);
}

test.each([
  ['another version', changed((r) => Object.assign(r, { schema: 2 })), 'out/results.json: schema:'],
  ['an unknown field', changed((r) => Object.assign(r, { extra: 1 })), 'Unrecognized key: "extra"'],
  [
    'a path that leaves the folder',
    changed((r) => Object.assign(r['images']![0]!, { file: '../../etc/passwd' })),
    'images.0.file: expected a path inside the folder',
  ],
  [
    'an absolute path',
    changed((r) => Object.assign(r['cells']![0]!, { file: '/etc/passwd' })),
    'cells.0.file: expected a path',
  ],
  [
    'a score that is a word',
    changed((r) => Object.assign(r['cells']![0]!, { scores: { psnr: 'good' } })),
    'cells.0.scores.psnr',
  ],
  ['no JSON', 'psnr: 25', 'out/results.json: not JSON'],
])('%s is refused', (_, text, message) =>
  expect(() => parseResults(text, 'out/results.json')).toThrow(message),
);

test.each(['C:/a.png', 'd:a.png', '..\\a.png', 'a\\..\\..\\b.png', '\\\\host\\a.png'])(
  '%s, which Windows takes for another place, is refused everywhere',
  (file) => {
    const text = changed((r) => Object.assign(r['measurements']![0]!, { file }));
    expect(() => parseResults(text, 'x')).toThrow('measurements.0.file: expected a path');
  },
);
