/** Kills at random moments, in processes of their own; bench/README.md has the long version. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';
import { writeShrinking } from './models.ts';

const root = join(import.meta.dirname, '../..');

it.skipIf(!existsSync(join(root, 'dist/cli/main.js')))(
  'loses nothing, leaves no half-written file, and ends with the bytes of one run',
  { timeout: 300_000 },
  () => {
    const model = writeShrinking(join(temporaryFolder(), 'model.onnx'));
    const args = ['bench/kills.js', '--kills', '10', '--images', '12', '--model', model];
    const done = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    expect(done.stderr).toBe('');
    const found = { kills: 10, halves: 0, lost: 0, remade: 0, bytesEqual: true };
    expect(JSON.parse(done.stdout)).toMatchObject(found);
  },
);
