/**
 * A thread of its own for the runtimes, whose calls block the thread that makes them. Plain
 * JavaScript, because Node.js starts it as it is, built or not; thread.ts is the other end.
 */
import { parentPort } from 'node:worker_threads';
import { createRunner } from './runner.js';

/**
 * @typedef {import('./thread.ts').Calls} Calls
 * @typedef {import('./thread.ts').Runner} Runner
 */

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
/** @type {Map<number, Runner>} */
const sessions = new Map();
let opened = 0;

/** @type {Calls} */
const calls = {
  async create(input) {
    const session = await createRunner(input);
    sessions.set(++opened, session);
    return { session: opened, inputs: session.inputs };
  },
  async run({ session, feeds }) {
    return (await sessions.get(session)?.run(feeds)) ?? {};
  },
  async release({ session }) {
    await sessions.get(session)?.release();
    sessions.delete(session);
  },
};

port.on('message', async ({ id, call, given }) => {
  try {
    port.postMessage({ id, value: await calls[/** @type {keyof Calls} */ (call)](given) });
  } catch (error) {
    port.postMessage({ id, error: /** @type {Error} */ (error).message });
  }
});
