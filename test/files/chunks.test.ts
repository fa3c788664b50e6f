/** Files of any size, a piece at a time. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chunksOf } from '../../src/files/chunks.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();
const piece = 4 << 20;

/** Whether the system says which files are open. */
const tells = existsSync('/proc/self/fd');
const openFiles = async () =>
  Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );

/** Bytes of which no two pieces are alike. */
function bytesOf(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = (i * 31) ^ (i >> 9) ^ (i >> 22);
  return bytes;
}

test.each([0, 1, piece - 1, piece, piece + 1, 3 * piece + 5])('%i bytes', async (count) => {
  const file = join(folder, `${count}`);
  const content = bytesOf(count);
  await writeFile(file, content);
  const hash = createHash('sha256');
  let [pieces, seen] = [0, 0];
  for await (const chunk of chunksOf(file)) {
    // The next piece is being read meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    hash.update(chunk);
    seen += chunk.byteLength;
    pieces++;
  }
  expect([seen, pieces]).toEqual([count, Math.ceil(count / piece)]);
  expect(hash.digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
});

test.runIf(tells)('who stops early leaves nothing open', async () => {
  const file = join(folder, 'long');
  await writeFile(file, bytesOf(2 * piece));
  for await (const chunk of chunksOf(file)) {
    expect(chunk.byteLength).toBe(piece);
    expect(await openFiles()).toContain(file);
    break;
  }
  expect(await openFiles()).not.toContain(file);
});

test('a file that is not there', async () => {
  const reading = chunksOf(join(folder, 'none')).next();
  await expect(reading).rejects.toMatchObject({ code: 'ENOENT' });
});
