// A small classifier of noised shapes, p(c|x_t), trained on ONNX Runtime: the judge of bench/guidance.js.
import { existsSync, writeFileSync } from 'node:fs';
import { copyOf } from '../dist/autodiff/differentiate.js';
import { batchOf } from '../dist/checkpoint/imported.js';
import { conv, linear, silu } from '../dist/checkpoint/layers.js';
import { GraphBuilder } from '../dist/onnx/builder.js';
import { valueOf } from '../dist/onnx/graph.js';
import { parseModel } from '../dist/onnx/read.js';
import { encodeGraph, encodeModel } from '../dist/onnx/write.js';
import { betas } from '../dist/schedules/betas.js';
import { resolveGraph } from '../dist/session/resolve.js';
import { tensor } from '../dist/tensor/tensor.js';
import { noiseAt } from '../dist/training/draws.js';
import { drawnWeights } from '../dist/training/initial.js';
import { openOptimiser } from '../dist/training/optimiser.js';
import { parametersOf, withWeights } from '../dist/training/parameters.js';
import { shapes } from '../dist/training/shapes.js';

const width = 24;
/** Length of the feature vector. */
const length = 48;
const batch = 64;

/** Inputs x `[N,3,size,size]` and t `[N]`; outputs logits `[N,classes]` and features `[N,48]`. */
function network(size, classes, seed) {
  const b = new GraphBuilder();
  const weights = drawnWeights(b, seed, { zero: () => false, normal: () => false });
  const net = { b, weights };
  const x = b.input('x', 'float32', [1, 3, size, size]);
  const t = b.input('t', 'float32', [1]);
  const level = b.op('Reshape', [b.scale(t, 1 / 1000), b.ints([-1, 1, 1, 1])]);
  const map = b.op('Expand', [level, b.ints([1, 1, size, size])]);
  let h = b.op('Concat', [x, map], { axis: 1 });
  for (const [i, stride] of [1, 2, 2].entries())
    h = silu(net, `act.${i}`, conv(net, `conv.${i}`, h, i === 0 ? width : 2 * width, { stride }));
  const flat = b.op('Reshape', [h, b.ints([-1, h.shape.reduce((n, d) => n * d, 1)])]);
  const features = silu(net, 'features', linear(net, 'hidden', flat, length));
  b.output(linear(net, 'head', features, classes), 'logits');
  b.output(features, 'features');
  const bytes = encodeGraph(b.graph, { open: batchOf(b.graph) });
  return parseModel(bytes, { folder: '.', where: 'classifier' });
}

/** −log p(c|x_t) of each image, as the only output of the graph; one more input, label `[N]`. */
async function lossOf(model, size, classes, parameters) {
  const shapesOf = { x: [batch, 3, size, size] };
  const bindings = { dims: { batch }, shapes: shapesOf };
  const resolved = await resolveGraph(model, bindings, new Set(parameters.keys()));
  const b = new GraphBuilder(copyOf(resolved));
  const logits = valueOf(b.graph, 'logits');
  b.graph.outputs.length = 0;
  const label = b.reshape(b.input('label', 'float32', [batch]), [batch, 1]);
  const all = b.constant([...Array(classes).keys()], 'float32', [1, classes]);
  const chosen = b.cast(b.op('Equal', [all, label]), 'float32');
  const log = b.op('LogSoftmax', [logits], { axis: 1 });
  b.output(b.neg(b.reduce('Sum', b.mul(log, chosen), [1], false)), 'loss');
  return b.graph;
}

/** Trains one, unless the file is there. Half of the images are clean, the others at any noise level. */
export async function trainClassifier(file, { size, classes, steps, seed, note }) {
  if (existsSync(file)) return;
  const model = network(size, classes, seed);
  const parameters = parametersOf(model);
  const loss = await lossOf(model, size, classes, parameters);
  const session = { threads: 1 };
  const optimiser = await openOptimiser(loss, parameters, {
    rate: 2e-3,
    ema: 0.99,
    weightDecay: 0,
    clip: 1,
    session,
  });
  const data = shapes({ size, classes, seed: 1000 + seed });
  let product = 1;
  const alphaBars = betas({ name: 'linear' }).map((beta) => (product *= 1 - beta));
  for (let step = 0; step < steps; step++) {
    const { x0, labels } = data.at(step, batch);
    const noise = noiseAt(1000 + seed, step, x0.shape).data;
    const times = labels.map((_, i) => (i % 2 === 0 ? 0 : ((step * 7 + i) * 37) % 1000));
    const area = x0.data.length / batch;
    const x = x0.data.map((v, i) => {
      const t = times[Math.floor(i / area)];
      if (t === 0) return v;
      return Math.sqrt(alphaBars[t]) * v + Math.sqrt(1 - alphaBars[t]) * noise[i];
    });
    const found = await optimiser.step({
      x: tensor(x0.shape, x),
      t: tensor([batch], Float32Array.from(times)),
      label: tensor([batch], Float32Array.from(labels)),
    });
    if ((step + 1) % 100 === 0) note(`classifier: step ${step + 1}, loss ${found.loss.toFixed(3)}`);
  }
  const { average } = optimiser.state().vectors;
  writeFileSync(file, encodeModel(withWeights(model, optimiser.layout, average)));
  await optimiser.release();
}
