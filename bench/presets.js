// Tunes a model's presets on clean images of one size: npm run build && node bench/presets.js FOLDER
// With --check it scores those in force instead: the mean of the images, and the worst.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  defaultModel,
  degrade,
  loadModel,
  noiseKey,
  openRestorer,
  operators,
  preset,
  psnr,
  randomMask,
  readImage,
  ssim,
} from '../dist/index.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: defaultModel },
    tried: { type: 'string', default: 'presets-tried.json' },
    steps: { type: 'string', default: '20,50,100' },
    tasks: { type: 'string', default: 'inpaint,sr,deblur' },
    intervals: { type: 'string', default: '1,2,4' },
    whiten: { type: 'string', default: '0,0.1,1' },
    methods: { type: 'string', default: 'dps,dsg' },
    'clip-gradient': { type: 'string', default: 'pass' },
    temperature: { type: 'string', default: '1' },
    check: { type: 'boolean', default: false },
    threads: { type: 'string', default: '2' },
    device: { type: 'string', default: 'cpu' },
    precision: { type: 'string', default: 'fp32' },
  },
});
const [folder = '.'] = positionals;
const { device, precision } = values;
const [sigma, seed] = [0.05, 0];
const temperature = Number(values.temperature);
const model = await loadModel(values.model);
const images = [];
for (const name of readdirSync(folder).filter((n) => n.endsWith('.png')))
  images.push({ name, ...(await readImage(join(folder, name))) });
const [, height, width] = images[0].image.shape;
/** The table has the step sizes of DPS for this side. */
const side = 256;

const tasks = {
  inpaint: (name) =>
    operators.inpainting({ mask: randomMask(height, width, noiseKey(seed, name)) }),
  sr: () => operators.superResolution({ scale: 4 }),
  deblur: () => operators.gaussianBlur({ size: 61, std: 3 }),
};

/** Everything tried so far, so that a run goes on where it was stopped. */
const tried = existsSync(values.tried) ? JSON.parse(readFileSync(values.tried, 'utf8')) : {};

/** Mean PSNR in dB of one sample of every image; the noise is the same for all settings. */
async function score(restorer, task, steps, method) {
  const settings = Object.entries(method).flat().slice(1);
  if (temperature !== 1) settings.push('temperature', temperature);
  const key = [task, steps, ...settings].join(' ');
  if (!(key in tried)) {
    const found = { psnr: [], ssim: [] };
    for (const { name, image } of images) {
      const operator = tasks[task](name);
      const measurement = await degrade(operator, image, { sigma, seed, name });
      const run = restorer.restore([{ name, operator, measurement, sigma, method }]);
      let next = await run.next();
      while (!next.done) next = await run.next();
      found.psnr.push(psnr(next.value[0], image));
      found.ssim.push(ssim(next.value[0], image));
    }
    const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
    const worst = Math.min(...found.psnr);
    tried[key] = { psnr: mean(found.psnr), ssim: mean(found.ssim), worst };
    writeFileSync(values.tried, `${JSON.stringify(tried, undefined, 1)}\n`);
  } else if (!values.check) return tried[key].psnr;
  const { psnr: mean, ssim: likeness, worst } = tried[key];
  const measures = [`PSNR ${mean.toFixed(2)} dB`, `SSIM ${likeness.toFixed(4)}`];
  console.log([key, ...measures, `worst ${worst.toFixed(2)} dB`].join('  '));
  return mean;
}

/** Uphill from `start` in factors of `ratios`, one after the other; the top of a parabola there. */
async function climb(start, ratios, largest, value) {
  const rounded = (v) => Number(Math.min(v, largest).toPrecision(3));
  let best = rounded(start);
  let found;
  for (const ratio of ratios)
    for (;;) {
      const at = [best / ratio, best, best * ratio].map(rounded);
      found = { at, values: [] };
      for (const v of at) found.values.push(await value(v));
      const top = at[found.values.indexOf(Math.max(...found.values))];
      if (top === best) break;
      best = top;
    }
  const [low, middle, high] = found.values;
  const bend = low - 2 * middle + high;
  const shift = bend < 0 ? (low - high) / (2 * bend) : 0;
  return { value: rounded(best * ratios.at(-1) ** shift), score: middle };
}

const methods = values.methods.split(',');
const numbers = (list) => list.split(',').map(Number);

/** Restores nothing by itself: `score` says the method of every image. */
const restorerOf = (steps) =>
  openRestorer({
    model,
    method: { name: 'none' },
    sampler: { name: 'ddim', eta: 1, temperature },
    steps,
    seed,
    session: { device, precision, threads: Number(values.threads) },
  });

/** The presets in force, one sample of every image each. */
async function check() {
  for (const steps of numbers(values.steps)) {
    const restorer = restorerOf(steps);
    for (const task of values.tasks.split(','))
      for (const name of methods) {
        const said = preset(task, name, steps, model.card.presets);
        await score(restorer, task, steps, { name, ...said });
      }
    await restorer.release();
  }
}

async function tune() {
  const presets = {};
  for (const task of values.tasks.split(',')) {
    const found = { dps: {}, dsg: {} };
    for (const steps of numbers(values.steps)) {
      const { presets: prior } = model.card;
      const { stepSize } = preset(task, 'dps', steps, prior);
      const { rate } = preset(task, 'dsg', steps, prior);
      const restorer = restorerOf(steps);
      // The articles' values suit another network, and at few steps are far from the best.
      const ratios = prior === 'article' ? [2, Math.SQRT2] : [Math.SQRT2];
      const [dps, dsg] = [[], []];
      const clip = values['clip-gradient'];
      for (const whiten of numbers(values.whiten)) {
        const said = {
          ...(whiten > 0 && { whiten }),
          ...(clip !== 'zero' && { clipGradient: clip }),
        };
        if (methods.includes('dps')) {
          // A whitened residual is shorter; how far a step goes is only near that of the norm.
          const from = dps.at(-1)?.value ?? stepSize;
          const top = await climb(from, dps.length > 0 ? [2, Math.SQRT2] : ratios, Infinity, (v) =>
            score(restorer, task, steps, { name: 'dps', stepSize: v, side, ...said }),
          );
          dps.push({ ...top, said });
        }
        if (!methods.includes('dsg')) continue;
        for (const interval of numbers(values.intervals)) {
          // The fewer steps are guided, the further each has to go.
          const start =
            (dsg.at(-1)?.value ?? rate) * Math.sqrt(interval / (dsg.at(-1)?.interval ?? 1));
          const top = await climb(start, dsg.length > 0 ? [Math.SQRT2] : ratios, 1, (v) =>
            score(restorer, task, steps, { name: 'dsg', rate: v, interval, ...said }),
          );
          dsg.push({ ...top, interval, said });
        }
      }
      const best = (settings) => settings.reduce((a, b) => (b.score > a.score ? b : a));
      if (dps.length > 0) {
        const { value, said } = best(dps);
        found.dps[steps] = { stepSize: Number(value.toPrecision(3)), side, ...said };
      }
      if (dsg.length > 0) {
        const { value: rate, interval, said } = best(dsg);
        found.dsg[steps] = { interval, rate, ...said };
      }
      await restorer.release();
      console.log(`${task} ${steps}: ${JSON.stringify(found)}`);
    }
    presets[task] = found;
  }
  console.log(
    `of ${width}×${height}, step sizes for 256×256:\n${JSON.stringify(presets, undefined, 2)}`,
  );
}

await (values.check ? check() : tune());
