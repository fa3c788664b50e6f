/** `dsg demo`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import sharp from 'sharp';
import { temporaryFolder } from '../helpers/folder.ts';
import { dsg, expectDone, filesIn, writePicture } from './harness.ts';

const folder = temporaryFolder();

it(
  'compares three ways on three tasks, in a table and a picture',
  { timeout: 120_000 },
  async () => {
    const out = join(folder, 'deep/out');
    const done = await dsg(['demo', '--steps', '2', '--device', 'cpu', '-o', out]);
    expectDone(done);
    expect(filesIn(out)).toEqual(['demo.md', 'demo.png']);
    const table = readFileSync(join(out, 'demo.md'), 'utf8');
    const rows = table.split('\n').filter((line) => /^\| (?!task)[a-z].*\d \|$/.test(line));
    expect(rows.map((row) => row.split('|')[2]?.trim())).toEqual(
      ['measurement', 'measurement, Lanczos', 'measurement'].flatMap((measurement) => [
        measurement,
        'DPS as published',
        'DPS tuned',
        'DPS+DSG',
      ]),
    );
    // What the lines below the table say follows from the table.
    const psnr = rows.map((row) => Number(row.split('|')[3]));
    for (const [way, at] of Object.entries({ 'DPS as published': 1, 'DPS tuned': 2 })) {
      const line = table.split('\n').find((l) => l.startsWith(`DPS+DSG against ${way} `)) ?? '';
      const gains = /: (.*) dB at 2 steps\.$/.exec(line)?.[1]?.split(', ').map(Number);
      expect(gains).toHaveLength(3);
      gains?.forEach((gain, i) => {
        const ahead = (psnr[4 * i + 3] as number) - (psnr[4 * i + at] as number);
        expect(Math.abs(gain - ahead)).toBeLessThan(0.061);
      });
    }
    // Original, measurement and three results: 128 pixels each, 4 between and around.
    expect((await sharp(join(out, 'demo.png')).metadata()).width).toBe(5 * 132 + 4);
    expect(done.stderr.match(/2 steps: \d+\.\d\d dB/g)).toHaveLength(9);
  },
);

it.each<[string, () => Promise<string[]>, RegExp]>([
  [
    'a file as folder',
    async () => ['-o', await writePicture(join(folder, 'a.png'), 16)],
    /it is a file, not a folder/,
  ],
  ['no steps', async () => ['--steps', '0'], /Expected an integer, 1 or more/],
  ['steps twice', async () => ['--steps', '20,20'], /Expected every value once/],
  ['more steps than there are', async () => ['--steps', '1001', '-o', folder], /1001/],
])('refuses %s', async (_, options, message) => {
  const done = await dsg(['demo', ...(await options())]);
  expect(done.code).toBe(1);
  expect(done.stderr).toMatch(message);
});
