/** The thread that sessions run on. */
import { expect, it } from 'vitest';
import { openThread } from '../../src/session/thread.ts';

it('leaves no call without an answer when it ends', async () => {
  const thread = openThread();
  const ask = () =>
    expect(thread.create({ model: new Uint8Array() })).rejects.toThrow(
      'the thread of the session has ended',
    );
  const before = ask();
  await thread.close();
  await before;
  await ask();
});
