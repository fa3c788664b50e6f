/**
 * ONNX Runtime on a thread of its own: its calls block the thread that makes them. Plain
 * JavaScript, because Node.js starts it as it is, built or not; thread.ts is the other end.
 */
import { parentPort } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';

/** @typedef {import('./thread.ts').Calls} Calls */

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
/** @type {Map<number, ort.InferenceSession>} */
const sessions = new Map();
let opened = 0;

/** @type {Calls} */
const calls = {
  async create({ model, options }) {
    const session = await (typeof model === 'string'
      ? ort.InferenceSession.create(model, options)
      : ort.InferenceSession.create(model, options));
    sessions.set(++opened, session);
    return { session: opened, inputs: session.inputMetadata };
  },
  async run({ session, feeds }) {
    const entries = Object.entries(feeds).map(([name, { type, data, dims }]) => {
      return [name, new ort.Tensor(type, /** @type {any} */ (data), dims)];
    });
    const results = await sessions.get(session)?.run(Object.fromEntries(entries));
    return Object.fromEntries(
      Object.entries(results ?? {}).map(([name, { type, data, dims }]) => {
        return [name, { type, data, dims }];
      }),
    );
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
