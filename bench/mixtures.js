// Guidance on Gaussian mixtures, whose scores are exact: what w does to three classes (figure 2 of Ho &
// Salimans 2022), and which steps end on the sphere of their noise (Yang et al. 2024).
//   npm run build && node bench/mixtures.js      writes docs/guidance/mixture.webp and sphere.webp
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';
import { classCondition, generate, loadModel } from '../dist/index.js';
import { logarithmic } from '../dist/report/scale.js';
import { toMarkdown } from '../dist/report/table.js';
import { colours, frame, legend, lineChart, placed, raster, words, writePlot } from './plot.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const helper = async (name) => (await runnerImport(join(root, 'test/helpers', name))).module;
const { component, labelledMixtureGraph, logDensity, mixtureGraph, triangle } =
  await helper('mixture.ts');
const { deviations, waves } = await helper('deviation.ts');
const { encodeOpenBatch } = await helper('open-batch.ts');

const models = join(root, '.cache/mixtures');
mkdirSync(models, { recursive: true });
const exactModel = (name, graph, card) => {
  const file = join(models, `${name}.onnx`);
  writeFileSync(file, encodeOpenBatch(graph));
  return loadModel(file, { clip: false, ...card });
};

/** What the pictures of two-dimensional densities span, each way. */
const reach = 1.3;

await drawMixture();
await drawSphere();

/** Above, densities p(x|c)^(1+w) p(x)^(−w), each normalised; below, what dsg samples. */
async function drawMixture() {
  const classes = { input: 'y', count: 3, null: 3 };
  const model = await exactModel('triangle', labelledMixtureGraph(triangle, 1), { classes });
  const [side, gap, top] = [200, 10, 26];
  const scales = [0, 1, 2, 4];
  let drawn = '';
  const rows = [];
  for (const [column, w] of scales.entries()) {
    const x = gap + 70 + column * (side + gap);
    drawn += words(`w = ${w}`, x + side / 2, 17, 'title');
    drawn += await raster(densities(w, side), side, side, x, top, side);
    const y = top + side + gap;
    drawn += `<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="#f7f7f7"/>`;
    const found = [];
    for (const [k, colour] of colours.slice(0, 3).entries()) {
      const points = await samplesOf(model, k, w);
      found.push(shapeOf(points, triangle.means[k]));
      for (const [u, v] of points)
        drawn += `<circle cx="${x + (0.5 + u / reach / 2) * side}" cy="${y + (0.5 - v / reach / 2) * side}" r="1.3" fill="${colour}" fill-opacity="0.6"/>`;
    }
    const mean = (key) => found.reduce((sum, f) => sum + f[key], 0) / found.length;
    rows.push([`w = ${w}`, mean('away'), mean('spread'), mean('across')]);
  }
  drawn += words('tilted', 40, top + side / 2) + words('density', 40, top + side / 2 + 14);
  drawn += words('samples', 40, top + 1.5 * side + gap);
  const width = 80 + scales.length * (side + gap);
  await writePlot(join(root, 'docs/guidance/mixture.webp'), width, top + 2 * (side + gap), drawn);
  const columns = [
    { title: 'guidance' },
    { title: 'mean, away from the middle', digits: 3 },
    { title: 'deviation, away', digits: 3 },
    { title: 'deviation, across', digits: 3 },
  ];
  process.stdout.write(`${toMarkdown({ columns, rows })}\n`);
}

function densities(w, side) {
  const logs = triangle.means.map((_, k) => {
    return Float64Array.from({ length: side * side }, (_, i) => {
      const point = [((i % side) + 0.5) / side, 1 - (Math.floor(i / side) + 0.5) / side];
      const at = point.map((v) => reach * (2 * v - 1));
      return (1 + w) * logDensity(component(triangle, k), at, 1) - w * logDensity(triangle, at, 1);
    });
  });
  const shares = logs.map((values) => {
    const most = values.reduce((a, b) => Math.max(a, b));
    const total = values.reduce((sum, v) => sum + Math.exp(v - most), 0);
    return values.map((v) => Math.exp(v - most) / total);
  });
  const brightest = shares.flatMap((s) => [...s]).reduce((a, b) => Math.max(a, b));
  const rgb = colours.map((c) => [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16)));
  return Uint8Array.from({ length: side * side * 3 }, (_, j) => {
    const i = Math.floor(j / 3);
    const shade = shares.reduce((left, share, k) => {
      return left * (1 - (1 - rgb[k][j % 3] / 255) * Math.sqrt(share[i] / brightest));
    }, 1);
    return Math.round(255 * shade);
  });
}

async function samplesOf(model, label, scale) {
  const points = [];
  const run = generate({
    model,
    size: { height: 1, width: 1 },
    condition: classCondition(model, label),
    classifierFree: { scale },
    count: 400,
    batch: 400,
    method: { name: 'none' },
    sampler: { name: 'ddim', eta: 0 },
    steps: 100,
    seed: label,
  });
  for await (const event of run) if (event.type === 'result') points.push([...event.image.data]);
  return points;
}

/** Mean and deviation along the direction in which a class lies, and across it. */
function shapeOf(points, [mu, nu]) {
  const length = Math.hypot(mu, nu);
  const along = points.map(([u, v]) => (u * mu + v * nu) / length);
  const across = points.map(([u, v]) => (u * nu - v * mu) / length);
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const deviation = (values) => Math.sqrt(mean(values.map((v) => (v - mean(values)) ** 2)));
  return { away: mean(along), spread: deviation(along), across: deviation(across) };
}

/** ‖x' − μ‖ over the radius √n σ, step by step. */
async function drawSphere() {
  const model = await exactModel('waves', mixtureGraph(waves, 1), {});
  const steps = 100;
  const methods = {
    unguided: { name: 'none' },
    'DPS, step 1': { name: 'dps', stepSize: 1 },
    'DPS, step 10': { name: 'dps', stepSize: 10 },
    'DSG, rate 0.1': { name: 'dsg', rate: 0.1, interval: 1 },
  };
  const rows = [];
  const series = [];
  for (const [name, method] of Object.entries(methods)) {
    const { found, error } = await deviations(model, method, steps);
    const ratio = ({ ratios }) => ratios.reduce((sum, r) => sum + r, 0) / ratios.length;
    const at = (index) => ratio(found.find((f) => f.index === index));
    rows.push([name, at(90), at(20), at(5), at(1), error]);
    const points = found.map((f) => ({ x: f.index, y: ratio(f), label: name }));
    series.push({ method: series.length, points, markers: false });
  }
  const ratios = series.flatMap((s) => s.points.map((p) => p.y));
  const axes = {
    title: 'distance from the mean of the step, over the radius of its noise',
    x: logarithmic([1, steps], frame.right, frame.left),
    y: logarithmic([...ratios, 0.8], frame.bottom, frame.top),
    xLabel: 'steps left',
    yLabel: '‖x′ − μ‖ / √n σ',
  };
  const drawn =
    placed(lineChart(axes, series), 40, 4, 'where steps end: 1 is the sphere') +
    legend(Object.keys(methods), 20, 270, 110);
  await writePlot(join(root, 'docs/guidance/sphere.webp'), 460, 284, drawn);
  const columns = ['method', '90 steps left', '20 left', '5 left', '1 left', 'RMSE'];
  process.stdout.write(
    `${toMarkdown({ columns: columns.map((title) => ({ title, digits: 3 })), rows })}\n`,
  );
}
