import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { lookTogether } from '../../src/files/together.ts';

const count = 200;
const items = Array.from({ length: count }, (_, i) => i);

test('what is found comes in the order of the items, some at a time', async () => {
  let open = 0;
  let most = 0;
  const found = await lookTogether(items, async (i) => {
    most = Math.max(most, ++open);
    await sleep((i * 7) % 5);
    open--;
    return 2 * i;
  });
  expect(found).toEqual(items.map((i) => 2 * i));
  expect(most).toBe(64);
});

test('of several errors the first in that order is thrown', async () => {
  const look = async (i: number): Promise<void> => {
    await sleep(10 - i);
    if (i > 2) throw new Error(`item ${i}`);
  };
  await expect(lookTogether(items.slice(0, 10), look)).rejects.toThrow('item 3');
});
