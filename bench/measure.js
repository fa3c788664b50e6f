// One measurement, printed as JSON; run.js starts it.
import { performance } from 'node:perf_hooks';
import { openCache } from '../dist/cache/cache.js';
import { dsg } from '../dist/guidance/dsg.js';
import { preset } from '../dist/guidance/presets.js';
import { measurementLoss } from '../dist/guided/measured.js';
import { gaussianBlur } from '../dist/operators/blur.js';
import { openDenoiser } from '../dist/pipeline/denoiser.js';
import { loadModel } from '../dist/pipeline/model.js';
import { openRestorer } from '../dist/pipeline/restore.js';
import { ddim } from '../dist/samplers/ddim.js';
import { betas } from '../dist/schedules/betas.js';
import { respace, steps as stepsOf } from '../dist/schedules/respace.js';
import { askNvidia, mebibytes } from '../dist/session/nvidia.js';
import { unstack } from '../dist/tensor/batch.js';
import { gaussian, noiseKey } from '../dist/tensor/noise.js';

const [, , what, given] = process.argv;
const { model: file, size, batch, runs, steps: sampling, session, folder } = JSON.parse(given);
const cache = folder && openCache({ folder, limit: Infinity });
const model = await loadModel(file);
const shape = [batch, 3, size, size];
const operator = gaussianBlur({ size: 61, std: 3 });
const key = noiseKey(0, 'bench');
const measurements = unstack(gaussian(key, 'measurement', 0, shape));
const seconds = (from) => (performance.now() - from) / 1000;
const onCuda = session.device === 'cuda';

const gpuUsed = () => mebibytes(askNvidia('gpu', 'memory.used')?.[0][0] ?? '');
const usedBefore = onCuda ? gpuUsed() : undefined;

/**
 * Memory of the GPU that is this process's, before its sessions are released; where processes are hidden,
 * as in some virtual machines, what the GPU's has grown by.
 */
function gpuMemory() {
  if (!onCuda) return {};
  const processes = askNvidia('compute-apps', 'pid', 'used_memory');
  const own = processes?.find(([pid]) => Number(pid) === process.pid);
  const gpuMiB = own ? mebibytes(own[1]) : gpuUsed() - usedBefore;
  return Number.isFinite(gpuMiB) ? { gpuMiB } : {};
}

/** Every image of the batch restored, again and again with one restorer; the first opens sessions. */
async function restores() {
  const method = { name: 'dsg', ...preset('deblur', 'dsg', sampling, model.card.presets) };
  const sampler = { name: 'ddim', eta: 1 };
  const restorer = openRestorer({
    model,
    method,
    sampler,
    steps: sampling,
    seed: 0,
    session,
    cache,
  });
  const jobs = measurements.map((measurement, i) => ({ name: `${i}`, operator, measurement }));
  const whole = [];
  for (let i = 0; i <= runs; i++) {
    const from = performance.now();
    const run = restorer.restore(jobs);
    while (!(await run.next()).done);
    whole.push(seconds(from));
  }
  const memory = gpuMemory();
  await restorer.release();
  return { restore: whole.slice(1), first: whole[0], ...memory };
}

async function stepwise() {
  const subjects = measurements.map((y) => ({ losses: [measurementLoss(operator, y)] }));
  const denoiser = openDenoiser({
    model,
    like: subjects[0],
    batch,
    canvas: { height: size, width: size },
    placement: { image: [3, size, size], top: 0, left: 0 },
    session,
    cache,
  });
  const x = gaussian(key, 'x_T', 0, shape);
  const denoise = denoiser.bind(subjects);
  const steps = stepsOf(respace(betas(model.card.schedule), 100));
  const timed = async (gradient) => {
    const from = performance.now();
    await denoise(x, steps[50], { gradient });
    return seconds(from);
  };
  /** The first runs pay for page faults and for the arena's growth, on a GPU for the choice of kernels too. */
  const warm = async (gradient) => {
    for (let i = 0; i < (onCuda ? 5 : 2); i++) await timed(gradient);
  };
  /** Shares of whole DSG sampling steps that are not spent in `denoise`. */
  const outside = async () => {
    let inside = 0;
    const watched = async (...args) => {
      const from = performance.now();
      const out = await denoise(...args);
      inside += seconds(from);
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
      const whole = seconds(from);
      shares.push((100 * (whole - inside)) / whole);
    }
  };
  const found = {};
  if (what === 'pair') {
    await warm(false);
    await warm(true);
    const [plain, guided] = [[], []];
    for (let i = 0; i < runs; i++) {
      plain.push(await timed(false));
      guided.push(await timed(true));
    }
    const ratio = plain.map((p, i) => guided[i] / p);
    Object.assign(found, { plain, guided, ratio, outside: await outside() });
  } else {
    await warm(what === 'guided');
    await timed(what === 'guided');
  }
  Object.assign(found, gpuMemory());
  await denoiser.release();
  return found;
}

const found = await (what === 'restore' ? restores() : stepwise());
console.log(JSON.stringify({ ...found, peakMiB: process.resourceUsage().maxRSS / 1024 }));
