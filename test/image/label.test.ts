/** Words as pictures. */
import { expect, test } from 'vitest';
import { label } from '../../src/image/label.ts';

test('a picture of the width and the lines asked for, white where nothing is written', async () => {
  const blank = await label(['', ''], 40);
  expect(blank.shape).toEqual([3, 30, 40]);
  expect(new Set(blank.data)).toEqual(new Set([1]));
});

test('characters that SVG has other uses for are words too', async () => {
  const [plain, marked] = [await label(['a'], 90), await label(['<b> & "c"'], 90)];
  expect(marked.shape).toEqual(plain.shape);
});

test.each(['\0', '\u001B[1m', '\uFFFF', '\uD800'])(
  '%j, which XML does not have, is drawn for',
  async (text) => {
    expect((await label([`a${text}b`], 90)).shape).toEqual([3, 15, 90]);
  },
);
