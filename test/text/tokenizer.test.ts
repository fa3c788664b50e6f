/** Against transformers' CLIPTokenizer: test/text/make.py prints what it makes of each string. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openTokenizer } from '../../src/text/tokenizer.ts';
import { testData } from '../helpers/data.ts';
import { temporaryFolder } from '../helpers/folder.ts';

type Expected = [text: string, ids: number[]][];

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const read = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
const expected = read(path.join(fixtures, 'text/tokens.json')) as Record<string, Expected>;
const folderOf = (pipeline: string): string => path.join(fixtures, 'latent', pipeline, 'tokenizer');

for (const [pipeline, cases] of Object.entries(expected))
  describe(`as transformers, with the small vocabulary of ${pipeline}`, async () => {
    const tokenizer = await openTokenizer(folderOf(pipeline));
    test.each(cases)('%j', (text, ids) => {
      expect(tokenizer.encode(text).ids).toEqual(ids);
    });
  });

const published = testData('text');
describe.skipIf(!published)(
  'as transformers, with the vocabulary that OpenAI published',
  async () => {
    if (!published) return;
    const tokenizer = await openTokenizer(path.join(published, 'clip'));
    const cases = read(path.join(published, 'tokens-clip.json')) as Expected;
    test.each(cases)('%j', (text, ids) => {
      expect(tokenizer.encode(text).ids).toEqual(ids);
    });
  },
);

test('what does not fit is told', async () => {
  const tokenizer = await openTokenizer(folderOf('sd15'));
  const { ids, length, dropped } = tokenizer.encode(`${'the '.repeat(75)}cat of the photo`);
  expect({ count: ids.length, length, dropped }).toEqual({
    count: 77,
    length: 81,
    dropped: 'cat of the photo',
  });
  expect(ids.at(-1)).toBe(548);
  expect(tokenizer.encode('the cat').dropped).toBe('');
});

describe('bad input', () => {
  const copied = (): string => {
    const folder = temporaryFolder();
    cpSync(folderOf('sd15'), folder, { recursive: true });
    return folder;
  };
  test.each<[string, (folder: string) => void, RegExp]>([
    ['no merges', (f) => rmSync(path.join(f, 'merges.txt')), /merges\.txt: no such file/],
    ['no vocabulary', (f) => rmSync(path.join(f, 'vocab.json')), /vocab\.json: no such file/],
    ['not JSON', (f) => writeFileSync(path.join(f, 'vocab.json'), '{'), /vocab\.json: not JSON/],
    [
      'odd numbers',
      (f) => writeFileSync(path.join(f, 'vocab.json'), '{"a":"b"}'),
      /expected a number for each token/,
    ],
    ['odd merges', (f) => writeFileSync(path.join(f, 'merges.txt'), 'a b c\n'), /'a b c'/],
    [
      'no end',
      (f) => writeFileSync(path.join(f, 'vocab.json'), '{"a":0,"b":1,"ab":2}'),
      /its vocabulary has no '<\|endoftext\|>'/,
    ],
    [
      'another format',
      (f) => writeFileSync(path.join(f, 'tokenizer.json'), '{"model":{"type":"Morse"}}'),
      /not a tokenizer that can be used/,
    ],
  ])('%s', async (_, spoil, message) => {
    const folder = copied();
    spoil(folder);
    if (existsSync(path.join(folder, 'merges.txt')) && message.source.includes("'a b c'"))
      writeFileSync(path.join(folder, 'vocab.json'), '{"a":0}');
    await expect(openTokenizer(folder)).rejects.toThrow(message);
  });
});
