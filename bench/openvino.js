// What OpenVINO gains, and what bfloat16 costs: npm run build && node bench/openvino.js [--steps 20]
// Restores the picture of dsg demo on ONNX Runtime and on OpenVINO, in turn, from the same noise.
// With --threads 1, seconds of processor time tell the two apart on a machine that is busy otherwise.
import { fileURLToPath } from 'node:url';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import {
  defaultModel,
  degrade,
  loadModel,
  openRestorer,
  operators,
  preset,
  noiseKey,
  psnr,
  randomMask,
  readImage,
} from '../dist/index.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: defaultModel },
    image: {
      type: 'string',
      default: fileURLToPath(new URL('../assets/demo.png', import.meta.url)),
    },
    steps: { type: 'string', default: '20' },
    threads: { type: 'string' },
  },
});
const steps = Number(values.steps);
const threads = values.threads ? { threads: Number(values.threads) } : {};
const model = await loadModel(values.model);
const { image } = await readImage(values.image);
const [, height, width] = image.shape;
const tasks = {
  inpaint: operators.inpainting({ mask: randomMask(height, width, noiseKey(0, 'demo')) }),
  sr: operators.superResolution({ scale: 4 }),
  deblur: operators.gaussianBlur({ size: 61, std: 3 }),
};
const ways = {
  'ONNX Runtime, float32': {},
  // How far two runs that round otherwise come apart.
  'the same, y + 1e-6': {},
  'OpenVINO, float32': { device: 'openvino' },
  'OpenVINO, bfloat16': { device: 'openvino', precision: 'bf16' },
};

/** One restored image, and the seconds of each step but the first, which opens the session. */
async function restored(task, session, offset) {
  const operator = tasks[task];
  const measurement = await degrade(operator, image, { sigma: 0.05, seed: 0, name: 'demo' });
  measurement.data.forEach((v, i, y) => (y[i] = v + offset));
  const method = { name: 'dsg', ...preset(task, 'dsg', steps, model.card.presets) };
  const sampler = { name: 'ddim', eta: 1 };
  const given = { model, method, sampler, steps, seed: 0, session: { ...session, ...threads } };
  const restorer = openRestorer(given);
  const run = restorer.restore([{ name: 'demo', operator, measurement }]);
  const [seconds, processor] = [[], []];
  for (;;) {
    const from = performance.now();
    const used = process.cpuUsage();
    const { value, done } = await run.next();
    if (done) {
      await restorer.release();
      return { image: value[0], seconds: seconds.slice(1), processor: processor.slice(1) };
    }
    seconds.push((performance.now() - from) / 1000);
    const { user, system } = process.cpuUsage(used);
    processor.push((user + system) / 1e6);
  }
}

const spread = (list) => {
  const sorted = list.toSorted((a, b) => a - b);
  return [sorted[0], sorted[Math.floor(sorted.length / 2)]].map((v) => v.toFixed(3)).join(' / ');
};
console.log(`${width}×${height}, ${steps} steps of DSG; PSNR in dB; a step: minimum / median`);
for (const task of Object.keys(tasks)) {
  let reference;
  for (const [name, session] of Object.entries(ways)) {
    const {
      image: found,
      seconds,
      processor,
    } = await restored(task, session, name.includes('1e-6') ? 1e-6 : 0);
    reference ??= found;
    const columns = [
      task.padEnd(8),
      name.padEnd(22),
      `to clean ${psnr(found, image).toFixed(2)}`,
      `to float32 ${psnr(found, reference).toFixed(2)}`.padEnd(16),
      `${spread(seconds)} s`,
      `processor ${spread(processor)} s`,
    ];
    console.log(columns.join('  '));
  }
}
