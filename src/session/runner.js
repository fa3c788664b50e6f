/**
 * A loaded model, by whatever runs it. Plain JavaScript, because Node.js starts a session's thread
 * (worker.js) as it is, built or not.
 */
import * as ort from 'onnxruntime-node';
import { createOpenVino } from './openvino-runner.js';

/**
 * @typedef {import('./thread.ts').RunnerInput} RunnerInput
 * @typedef {import('./thread.ts').Runner} Runner
 */

/** @param {RunnerInput} input @returns {Promise<Runner>} */
export async function createRunner({ model, options, openvino }) {
  if (openvino) return createOpenVino(model, openvino);
  const session = await (typeof model === 'string'
    ? ort.InferenceSession.create(model, options)
    : ort.InferenceSession.create(model, options));
  return {
    inputs: session.inputMetadata,
    async run(feeds) {
      const tensors = Object.entries(feeds).map(([name, { type, data, dims }]) => {
        return [name, new ort.Tensor(type, /** @type {any} */ (data), dims)];
      });
      const results = Object.entries(await session.run(Object.fromEntries(tensors)));
      // Plain objects can go to another thread.
      return Object.fromEntries(
        results.map(([name, { type, data, dims }]) => [name, { type, data, dims }]),
      );
    },
    release: () => session.release(),
  };
}
