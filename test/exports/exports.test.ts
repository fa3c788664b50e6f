/**
 * Exports of the networks that people bring, against PyTorch: see make.py. Exporting takes minutes,
 * so it is only done on request: `DSG_TEST_EXPORTS=python3 npx vitest run test/exports` names the
 * Python, which needs torch. A folder that make.py filled before may be named instead.
 */
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportCases, gradientsOf } from '../helpers/exports.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { relativeError } from '../helpers/random.ts';

const wanted = process.env['DSG_TEST_EXPORTS'];

function made(source: string): string {
  if (statSync(source, { throwIfNoEntry: false })?.isDirectory()) return source;
  const folder = path.join(temporaryFolder(), 'exports');
  const script = path.join(import.meta.dirname, 'make.py');
  execFileSync(source, [script, folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  return folder;
}

describe.skipIf(!wanted)('exports of PyTorch', () => {
  for (const c of exportCases(wanted && made(wanted)))
    test.each(c.files)(`${c.name}/%s`, async (file) => {
      const { gradient, reference } = await gradientsOf(c, file);
      expect(gradient.shape).toEqual(reference.shape);
      const error = relativeError(gradient, reference);
      if (process.env['DSG_TEST_VERBOSE']) process.stdout.write(`${c.name}/${file} ${error}\n`);
      expect(error).toBeLessThan(c.tolerance);
    });
});
