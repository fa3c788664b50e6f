// The w sweep of Ho & Salimans (2022) on small class-conditional models of generated shapes.
//   npm run build && node bench/guidance.js [--samples 400] [--steps 3000]
// Trains three models that withheld the class with p_uncond 0.1, 0.2 and 0.5 (`dsg train`, side by side, about
// eight minutes of one core each) and a classifier to judge them. What is in .cache/guidance is not made again,
// and a run that was stopped goes on to the same figures. Writes
// docs/guidance/sweep.webp and shapes.webp, and prints the table.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { classCondition, loadModel, readNpy, restore, writeNpy } from '../dist/index.js';
import { grid } from '../dist/image/grid.js';
import { resizeLanczos } from '../dist/image/resize.js';
import { fid } from '../dist/metrics/fid.js';
import { readModel } from '../dist/onnx/read.js';
import { linear } from '../dist/report/scale.js';
import { toMarkdown } from '../dist/report/table.js';
import { resolveGraph } from '../dist/session/resolve.js';
import { openGraph } from '../dist/session/session.js';
import { imageAt, stack, unstack } from '../dist/tensor/batch.js';
import { tensor } from '../dist/tensor/tensor.js';
import { shapes } from '../dist/training/shapes.js';
import { trainClassifier } from './classifier.js';
import { frame, legend, lineChart, placed, writePicture, writePlot } from './plot.js';

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '400' },
    steps: { type: 'string', default: '3000' },
    'p-uncond': { type: 'string', default: '0.1,0.2,0.5' },
  },
});
const [size, classes, batch] = [16, 5, 40];
const withheld = values['p-uncond'].split(',').map(Number);
const scales = [0, 0.5, 1, 2, 4, 8, 16];
const perClass = Math.ceil(Number(values.samples) / classes);
const root = fileURLToPath(new URL('..', import.meta.url));
const work = join(root, '.cache/guidance');
mkdirSync(work, { recursive: true });

const note = (line) => process.stderr.write(`${line}\n`);
const classifier = join(work, 'classifier.onnx');
await trainClassifier(classifier, { size, classes, steps: 1000, seed: 0, note });
const judge = await openJudge(classifier);
const truth = await judge(shapes({ size, classes, seed: 77 }).at(0, 2000));
/** As many others, for what the best model could score, and the neighbourhoods of real images. */
const other = await judge(shapes({ size, classes, seed: 78 }).at(0, perClass * classes));
const real = neighbourhoods(truth.features.slice(0, perClass * classes));

const models = await Promise.all(withheld.map(trained));
const found = (await Promise.all(models.map(sweep))).flat();
await drawSamples(models[0]);
await drawSweep(found);
const columns = [
  { title: 'p_uncond' },
  { title: 'w' },
  { title: 'class accuracy %', digits: 1 },
  { title: 'spread %', digits: 1 },
  { title: 'recall %', digits: 1 },
  { title: 'FID', digits: 2 },
];
const table = [
  ['real', '', ...Object.values(scoresOf(other))],
  ...found.map(({ p, w, ...scores }) => [String(p), String(w), ...Object.values(scores)]),
];
process.stdout.write(`${toMarkdown({ columns, rows: table })}\n`);

async function trained(p) {
  const file = join(work, `p${p}.onnx`);
  const network = ['--width', '16', '--levels', '3', '--batch', '32', '--ema', '0.998'];
  const data = ['shapes', '--size', String(size), '--classes', String(classes), '--seed', '0'];
  const run = ['--p-uncond', String(p), '--steps', values.steps, '--resume', '-o', file];
  const args = [join(root, 'bin/dsg.js'), 'train', ...data, ...network, ...run];
  const checkpoints = ['--checkpoint-every', '500'];
  const training = spawn(process.execPath, [...args, ...checkpoints], { stdio: ['ignore', 2, 2] });
  const [code] = await once(training, 'exit');
  if (code !== 0) throw new Error(`dsg train ended with ${code}`);
  return loadModel(file);
}

async function sweep(model, i) {
  const p = withheld[i];
  const rows = [];
  for (const w of scales) {
    const row = { p, w, ...scoresOf(await judge(await keptSamples(model, p, w))) };
    rows.push(row);
    note(JSON.stringify(row));
  }
  return rows;
}

/** Samples of a model that are made once. */
async function keptSamples(model, p, w) {
  const file = join(work, `p${p}-w${w}-${values.steps}-${perClass}.npy`);
  if (!existsSync(file)) await writeNpy(file, (await drawn(model, w, perClass)).x0);
  const x0 = await readNpy(file);
  return { x0, labels: Array.from({ length: x0.shape[0] }, (_, i) => i % classes) };
}

/** Samples of every class: DDIM, 25 steps. */
async function drawn(model, scale, each) {
  const jobs = Array.from({ length: each * classes }, (_, i) => {
    const label = i % classes;
    return {
      name: String(i),
      label,
      size: { height: size, width: size },
      condition: classCondition(model, label),
    };
  });
  const options = { model, steps: 25, seed: 0, batch, session: { threads: 1 } };
  const how = { method: { name: 'none' }, sampler: { name: 'ddim', eta: 0 } };
  const guided = { ...options, ...how, classifierFree: { scale } };
  const images = [];
  for await (const event of restore(jobs, guided)) {
    if (event.type === 'failure') throw event.error;
    if (event.type === 'result') images[Number(event.job.name)] = event.image;
  }
  return { x0: stack(images), labels: jobs.map((j) => j.label) };
}

/** Predicted class and features of images, at timestep 0. */
async function openJudge(file) {
  const model = await readModel(file);
  const bindings = { dims: { batch }, shapes: { x: [batch, 3, size, size] } };
  const session = await openGraph(await resolveGraph(model, bindings), { threads: 1 });
  return async ({ x0, labels }) => {
    const found = { labels, classes: [], features: [] };
    for (let at = 0; at < labels.length; at += batch) {
      const part = Array.from({ length: batch }, (_, i) =>
        imageAt(x0, Math.min(at + i, labels.length - 1)),
      );
      const clipped = stack(part);
      clipped.data.forEach((v, i) => (clipped.data[i] = Math.min(1, Math.max(-1, v))));
      const t = tensor([batch], new Float32Array(batch));
      const { logits, features } = await session.run({ x: clipped, t });
      for (const { data } of unstack(logits)) found.classes.push(data.indexOf(Math.max(...data)));
      found.features.push(...unstack(features));
    }
    for (const key of ['classes', 'features']) found[key].length = labels.length;
    return found;
  };
}

function scoresOf({ labels, classes: told, features }) {
  const right = labels.filter((label, i) => told[i] === label).length;
  return {
    accuracy: (100 * right) / labels.length,
    spread: (100 * spreadOf(labels, features)) / spreadOf(truth.labels, truth.features),
    recall: 100 * recallOf(features),
    fid: fid(features, truth.features),
  };
}

/**
 * Diversity: the root-mean-square distance of features from the mean of all that should be of their class.
 * Features are taken to length 1 first, as guidance makes them longer.
 */
function spreadOf(labels, features) {
  let sum = 0;
  for (let label = 0; label < classes; label++) {
    const own = features.filter((_, i) => labels[i] === label).map((f) => direction(f.data));
    const mean = own[0].map((_, j) => own.reduce((total, f) => total + f[j], 0) / own.length);
    for (const f of own) sum += distance(f, mean) ** 2;
  }
  return Math.sqrt(sum / features.length);
}

function direction(feature) {
  const length = Math.hypot(...feature);
  return feature.map((v) => v / length);
}

/**
 * The share of real images that a generated one lies among: within the distance of its third nearest
 * real neighbour (Kynkäänniemi et al. 2019, Improved Precision and Recall).
 */
function recallOf(features) {
  const all = features.map((f) => f.data);
  return (
    real.filter(({ near, data }) => all.some((f) => distance(f, data) <= near)).length / real.length
  );
}

function neighbourhoods(features) {
  const all = features.map((f) => f.data);
  return all.map((data) => {
    const distances = all.map((f) => distance(f, data)).sort((a, b) => a - b);
    // The nearest is itself.
    return { data, near: distances[3] };
  });
}

function distance(a, b) {
  return Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0));
}

async function drawSweep(all) {
  const at = linear([0, scales.length - 1], frame.left, frame.right).at;
  const x = { at: (w) => at(scales.indexOf(w)), ticks: scales };
  const series = (key) =>
    withheld.map((p, method) => ({
      method,
      markers: true,
      points: all.filter((r) => r.p === p).map((r) => ({ x: r.w, y: r[key], label: '' })),
    }));
  const chart = (key, yLabel) => {
    const y = linear(
      all.map((r) => r[key]),
      frame.bottom,
      frame.top,
    );
    return lineChart({ title: yLabel, x, y, xLabel: 'w', yLabel }, series(key));
  };
  const drawing =
    placed(chart('accuracy', '%'), 0, 4, 'class accuracy') +
    placed(chart('spread', '% of real'), 370, 4, 'diversity: spread within a class') +
    placed(chart('recall', '%'), 0, 284, 'recall') +
    placed(chart('fid', 'FID'), 370, 284, 'FID') +
    legend(
      withheld.map((p) => `p_uncond ${p}`),
      235,
      552,
      130,
    );
  await writePlot(join(root, 'docs/guidance/sweep.webp'), 740, 564, drawing);
}

/** A row for each w; the noise of a column is the same in all. */
async function drawSamples(model) {
  const rowsOf = [];
  for (const w of [0, 1, 4]) {
    const { x0 } = await drawn(model, w, 4);
    rowsOf.push(unstack(x0).map((image) => resizeLanczos(image, 3 * size, 3 * size)));
  }
  await writePicture(join(root, 'docs/guidance/shapes.webp'), grid(rowsOf, 4));
}
