// How long dsg takes to start, with an empty cache and with a full one:
//   npm run build && node bench/start.js [--model .cache/adm.onnx] [--size 256] [--runs 5]
// From the start of the process to the moment at which the guided step could run, by the clock and on the
// processor: on a machine with other work to do, the latter says more.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openCache } from '../dist/cache/cache.js';
import { measurementLoss } from '../dist/guided/measured.js';
import { gaussianBlur } from '../dist/operators/blur.js';
import { openDenoiser } from '../dist/pipeline/denoiser.js';
import { defaultModel, loadModel } from '../dist/pipeline/model.js';
import { openThread } from '../dist/session/thread.js';
import { zeros } from '../dist/tensor/tensor.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: defaultModel },
    size: { type: 'string', default: '256' },
    runs: { type: 'string', default: '5' },
    /** Given to the processes that are measured. */
    cache: { type: 'string' },
  },
});
const { model: file, cache: folder, runs } = values;
const size = Number(values.size);

if (folder === undefined) {
  const caches = mkdtempSync(path.join(tmpdir(), 'dsg-start-'));
  try {
    // The first round also brings the model into the system's memory; it does not count.
    const rounds = Array.from({ length: Number(runs) + 1 }, (_, i) => {
      const cache = path.join(caches, String(i));
      const round = ['off', cache, cache].map(seconds);
      rmSync(cache, { recursive: true, force: true });
      return round;
    }).slice(1);
    console.log(`${path.basename(file)}, ${size}×${size}: seconds, minimum / median / maximum`);
    console.log(`${' '.repeat(20)} by the clock         on the processor`);
    ['without a cache', 'cold', 'warm'].forEach((name, i) => {
      const shown = ['clock', 'processor'].map((by) => {
        const sorted = rounds.map((r) => r[i][by]).toSorted((a, b) => a - b);
        const middle = sorted[Math.floor(sorted.length / 2)];
        return [sorted[0], middle, sorted.at(-1)].map((v) => v.toFixed(2)).join(' / ');
      });
      console.log(`${name.padEnd(20)} ${shown.map((s) => s.padEnd(20)).join(' ')}`);
    });
  } finally {
    rmSync(caches, { recursive: true, force: true });
  }
} else console.log(JSON.stringify(await start(folder)));

/** One start in a process of its own. */
function seconds(cache) {
  const script = fileURLToPath(import.meta.url);
  const given = ['--model', file, '--size', values.size, '--cache', cache];
  const child = spawnSync(process.execPath, [script, ...given], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.status !== 0) throw new Error('start: failed');
  return JSON.parse(child.stdout);
}

async function start(place) {
  const model = await loadModel(file);
  const shape = [3, size, size];
  const subject = { losses: [measurementLoss(gaussianBlur({ size: 61, std: 3 }), zeros(shape))] };
  const thread = openThread();
  let ready;
  const denoiser = openDenoiser({
    model,
    like: subject,
    batch: 1,
    canvas: { height: size, width: size },
    placement: { image: shape, top: 0, left: 0 },
    // Notes when the first step is asked for, and does without it.
    session: {
      thread: {
        ...thread,
        async run() {
          const { user, system } = process.cpuUsage();
          ready = { clock: performance.now() / 1000, processor: (user + system) / 1e6 };
          return {};
        },
      },
    },
    cache: place === 'off' ? undefined : openCache({ folder: place, limit: Infinity }),
  });
  const step = { index: 50, timestep: 500, alphaBar: 0.5, alphaBarPrevious: 0.6 };
  await denoiser.bind([subject])(zeros([1, ...shape]), step, { gradient: true });
  await denoiser.release();
  await thread.close();
  return ready;
}
