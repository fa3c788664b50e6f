// How far a guided step in float16 is from float32, on ONNX Runtime's CPU provider, which rounds what
// nodes give to float16 and sums in float32: npm run build && node bench/half.js [--model FILE] [--size 128]
import { parseArgs } from 'node:util';
import { gpuForms } from '../dist/autodiff/gradients.js';
import { guidedGraph, ports } from '../dist/guided/guided.js';
import { measurementLoss } from '../dist/guided/measured.js';
import { narrow } from '../dist/onnx/narrow.js';
import { gaussianBlur } from '../dist/operators/blur.js';
import { drawing } from '../dist/pipeline/drawing.js';
import { levelFeed, parametersOf, timestepFeed } from '../dist/pipeline/feeds.js';
import { betasOf, defaultModel, graphFor, loadModel } from '../dist/pipeline/model.js';
import { isApart } from '../dist/pipeline/prepared.js';
import { respace, steps as stepsOf } from '../dist/schedules/respace.js';
import { openGraph } from '../dist/session/session.js';
import { simplify } from '../dist/simplify/simplify.js';
import { gaussian, noiseKey } from '../dist/tensor/noise.js';
import { tensor } from '../dist/tensor/tensor.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: defaultModel },
    size: { type: 'string', default: '128' },
  },
});
const size = Number(values.size);
const model = await loadModel(values.model);
const network = await graphFor(model, 1, { height: size, width: size });
const shape = [3, size, size];
const clean = drawing([1, ...shape]);
const key = noiseKey(0, 'half');
const noise = gaussian(key, 'x_T', 0, [1, ...shape]);
const losses = [measurementLoss(gaussianBlur({ size: 61, std: 3 }), tensor(shape, clean.data))];
const aim = { losses, placement: { image: shape, top: 0, left: 0 } };
const graphOf = (scaled) => guidedGraph(network, model.card, aim, { forms: gpuForms, scaled });
const half = (graph) => simplify(narrow(graph, isApart));
const sessions = {
  exact: await openGraph(graphOf(false)),
  scaled: await openGraph(half(graphOf(true))),
  unscaled: await openGraph(half(graphOf(false))),
};

function compare({ data: found }, { data: expected }) {
  let [difference, product, a, b] = [0, 0, 0, 0];
  expected.forEach((v, i) => {
    difference += (found[i] - v) ** 2;
    product += found[i] * v;
    a += v * v;
    b += found[i] ** 2;
  });
  return { error: Math.sqrt(difference / a), cosine: product / Math.sqrt(a * b) };
}

const steps = stepsOf(respace(betasOf(model.card), 20));
console.log(`${size}×${size}; ‖float16 − float32‖ / ‖float32‖, cosine`);
console.log('timestep    ε          gradient             gradient, unscaled');
for (const index of [0, 4, 9, 14, 19]) {
  const step = steps[index];
  const [signal, sigma] = [Math.sqrt(step.alphaBar), Math.sqrt(1 - step.alphaBar)];
  const x = clean.data.map((v, i) => signal * v + sigma * noise.data[i]);
  const feeds = {
    [model.card.inputs.x]: tensor([1, ...shape], x),
    ...timestepFeed(model, 1, step.timestep),
    ...levelFeed(step),
    ...parametersOf([losses]),
  };
  const exact = await sessions.exact.run(feeds);
  const [scaled, unscaled] = [await sessions.scaled.run(feeds), await sessions.unscaled.run(feeds)];
  const show = ({ error, cosine }) => `${error.toExponential(1)}, ${cosine.toFixed(6)}`;
  const eps = compare(scaled[ports.eps], exact[ports.eps]).error.toExponential(1);
  const [g, h] = [scaled, unscaled].map((o) =>
    show(compare(o[ports.gradient], exact[ports.gradient])),
  );
  console.log(`${String(step.timestep).padStart(8)}    ${eps}    ${g}    ${h}`);
}
for (const session of Object.values(sessions)) await session.release();
