/** When a file counts as the one that a digest is remembered of. */
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { remembered } from '../../src/cache/digests.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const root = temporaryFolder();
const file = join(root, 'file');
const digest = (): Promise<string> =>
  remembered(join(root, 'digests'), file, async (name) => readFileSync(name, 'utf8'));

test.each([
  ['another size', 'longer', 1000],
  ['another time of change', 'two', 1001],
  // As copies have that keep it.
  ['another content, of the size and time of before', 'two', 1000],
])('not with %s', async (_, content, time) => {
  writeFileSync(file, 'one');
  utimesSync(file, 1000, 1000);
  expect(await digest()).toBe('one');
  // The system's times of change have a grain of up to 10 ms.
  await setTimeout(20);
  writeFileSync(file, content);
  utimesSync(file, time, time);
  expect(await digest()).toBe(content);
});
