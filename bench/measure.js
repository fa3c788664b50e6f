// One measurement, printed as JSON; run.js starts it.
import { performance } from 'node:perf_hooks';
import { dsg } from '../dist/guidance/dsg.js';
import { measurementLoss } from '../dist/guided/measured.js';
import { gaussianBlur } from '../dist/operators/blur.js';
import { openDenoiser } from '../dist/pipeline/denoiser.js';
import { defaultModel, loadModel } from '../dist/pipeline/model.js';
import { ddim } from '../dist/samplers/ddim.js';
import { betas } from '../dist/schedules/betas.js';
import { respace, steps as stepsOf } from '../dist/schedules/respace.js';
import { unstack } from '../dist/tensor/batch.js';
import { gaussian, noiseKey } from '../dist/tensor/noise.js';

const [, , what, settings] = process.argv;
const { model: file = defaultModel, size, batch, runs } = JSON.parse(settings);
const started = performance.now();
const model = await loadModel(file);
const shape = [batch, 3, size, size];
const operator = gaussianBlur({ size: 61, std: 3 });
const key = noiseKey(0, 'bench');
const subjects = unstack(gaussian(key, 'measurement', 0, shape)).map((y) => ({
  losses: [measurementLoss(operator, y)],
}));
const denoiser = openDenoiser({
  model,
  like: subjects[0],
  batch,
  canvas: { height: size, width: size },
  placement: { image: [3, size, size], top: 0, left: 0 },
  session: {},
});
const x = gaussian(key, 'x_T', 0, shape);
const denoise = denoiser.bind(subjects);
const steps = stepsOf(respace(betas(model.card.schedule), 100));

async function timed(gradient) {
  const from = performance.now();
  await denoise(x, steps[50], { gradient });
  return (performance.now() - from) / 1000;
}

/** The first two runs pay for page faults and for the arena's growth. */
async function warm(gradient) {
  await timed(gradient);
  await timed(gradient);
}

/** Seconds of a whole DSG sampling step that are not spent in `denoise`. */
async function outside() {
  let inside = 0;
  const watched = async (...args) => {
    const from = performance.now();
    const out = await denoise(...args);
    inside += performance.now() - from;
    return out;
  };
  const run = ddim({ eta: 1 })({
    denoise: watched,
    x,
    steps: steps.slice(50, 50 + runs),
    guidance: dsg({ rate: 0.1, interval: 1 }),
    noise: (step) => gaussian(key, 'step', step.index, shape),
  });
  const shares = [];
  for (let from = performance.now(); ; from = performance.now()) {
    inside = 0;
    const { done } = await run.next();
    if (done) return shares;
    const whole = performance.now() - from;
    shares.push((whole - inside) / whole);
  }
}

if (what === 'pair') {
  await warm(false);
  await warm(true);
  const [plain, guided] = [[], []];
  for (let i = 0; i < runs; i++) {
    plain.push(await timed(false));
    guided.push(await timed(true));
  }
  const ratio = plain.map((p, i) => guided[i] / p);
  console.log(JSON.stringify({ plain, guided, ratio, outside: await outside() }));
} else {
  await timed(what === 'guided');
  const startSeconds = (performance.now() - started) / 1000;
  await warm(what === 'guided');
  console.log(JSON.stringify({ peakMiB: process.resourceUsage().maxRSS / 1024, startSeconds }));
}
await denoiser.release();
