/** What becomes of operands: files, folders, patterns, and lists on stdin. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { findImages, findInputs, patternOf } from '../../src/cli/inputs.ts';
import { interruptible } from '../../src/cli/io.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
for (const name of [
  'a.png',
  'b.jpg',
  'b.mask.png',
  'notes.txt',
  'x[1].png',
  'deep/a.png',
  'deep/er/c.npy',
  'out/a.png',
  '..dotted/a.png',
]) {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), '');
}

const linked = temporaryFolder();
writeFileSync(join(linked, 'b.png'), '');
symlinkSync(linked, join(linked, 'again'));
symlinkSync(at('deep/er'), join(linked, 'er'));

const cases: [what: string, operands: string[], stdin: string | undefined, names: string[]][] = [
  ['a folder', ['deep'], undefined, ['a', 'er/c']],
  ['a folder with links, one of them to itself', [linked], undefined, ['b', 'er/c']],
  ['a pattern', ['*.{png,jpg}'], undefined, ['a', 'b', 'x[1]']],
  ['a pattern over folders', ['**/*.png'], undefined, ['a', 'deep/a', 'x[1]']],
  ['a pattern below a folder', ['deep/**'], undefined, ['a', 'er/c']],
  ['a file whose name looks like a pattern', ['x[1].png'], undefined, ['x[1]']],
  ['a list', ['-'], 'b.jpg\r\nx[1].png\n\ndeep\n', ['b', 'x[1]', 'a', 'er/c']],
  ['a list with NUL characters', ['-'], 'a.png\0b.jpg\0', ['a', 'b']],
  ['several of them', ['b.jpg', '-', 'deep/er/*'], 'a.png\n', ['b', 'a', 'c']],
];

it.each(cases)('%s', async (_, operands, stdin, names) => {
  const absolute = (line: string): string => (['', '-', linked].includes(line) ? line : at(line));
  const separator = stdin?.includes('\0') ? '\0' : '\n';
  const lines = stdin?.split(separator).map(absolute).join(separator);
  const given = lines === undefined ? undefined : Readable.from([lines]);
  const inputs = await findInputs(operands.map(absolute), {
    except: at('out'),
    stdin: given,
  });
  expect(inputs.map((input) => input.name)).toEqual(names);
});

it('a list may begin with a mark of the byte order', async () => {
  const stdin = Readable.from([`\uFEFF${at('a.png')}\r\n`]);
  expect(await findInputs(['-'], { stdin })).toEqual([{ file: at('a.png'), name: 'a' }]);
});

it.each([
  ['*.webp', undefined, 'no images match'],
  ['-', `${at('a.png')}\n${at('deep/../a.png')}`, 'a.png: given twice'],
  ['-', '\n\n', 'no names on the standard input'],
  ['-', `${at('a.png')}\n${at('deep/a.png')}`, "two images are named 'a'"],
])('%s is refused', async (operand, stdin, message) => {
  const given = stdin === undefined ? undefined : Readable.from([stdin]);
  const finding = findInputs([operand === '-' ? operand : at(operand)], { stdin: given });
  await expect(finding).rejects.toThrow(message);
});

it('names by paths below a base, whether listed, given or found', async () => {
  const stdin = Readable.from([`${at('a.png')}\n${at('deep/a.png')}\n`]);
  const inputs = await findInputs(['-', at('deep/er')], { stdin, base: folder });
  expect(inputs.map((input) => input.name)).toEqual(['a', 'deep/a', 'deep/er/c']);
  const dotted = await findInputs([at('..dotted/a.png')], { base: folder });
  expect(dotted.map((input) => input.name)).toEqual(['..dotted/a']);
  const outside = findInputs([at('a.png')], { base: at('deep') });
  await expect(outside).rejects.toThrow('a.png: not below the folder of --base');
});

it('passes results over only where inputs are looked for above them', async () => {
  const names = async (pattern: string): Promise<string[]> =>
    (await findInputs([at(pattern)], { except: at('deep') })).map((input) => input.name);
  expect(await names('deep/*.png')).toEqual(['a']);
  expect(await names('deep/er/*')).toEqual(['c']);
  expect(await names('{deep,out}/*.png')).toEqual(['out/a']);
});

it.each([
  [['a.png', 'deep/a.png'], 'give the folder above them'],
  [['twice/a.jpg', 'twice/a.png'], `choose by a pattern such as '${at('twice/*.png')}'`],
  [['a.png', 'a.measurement.png'], 'give each a run of its own'],
])('tells how %j may have two names', async (files, hint) => {
  const error: unknown = await findInputs(files.map(at)).catch((e: unknown) => e);
  expect(error).toMatchObject({ hint: expect.stringContaining(hint) });
});

it.each([
  ['no list', undefined, 'give the folder above them, so that names include folders'],
  ['lists', Readable.from([]), 'give the folder above them, or name it with --base, so that'],
])('speaks of --base to commands that take %s', async (_, stdin, hint) => {
  const finding = findInputs(['a.png', 'deep/a.png'].map(at), { stdin });
  await expect(finding).rejects.toMatchObject({ hint: expect.stringContaining(hint) });
});

it('finds images of one name where names are of no consequence', async () => {
  const images = await findImages([at('a.png'), at('deep/a.png')]);
  expect(images.map((image) => image.name)).toEqual(['a', 'a']);
});

it('waits no longer for a list once it is interrupted', async () => {
  const [interrupt, endless] = [new AbortController(), new PassThrough()];
  endless.write(`${at('a.png')}\n`);
  const stdin = interruptible(endless, interrupt.signal);
  const finding = findInputs(['-'], { stdin });
  setTimeout(() => interrupt.abort(), 20);
  await expect(finding).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
  expect(endless.destroyed).toBe(true);
});

it('takes patterns as Windows writes them', () => {
  expect(patternOf('photos\\20?4\\*.png', '\\')).toBe('photos/20?4/*.png');
  expect(patternOf('photos/\\[1\\]*.png', '/')).toBe('photos/\\[1\\]*.png');
});
