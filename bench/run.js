// Figures of the README: npm run build && npm run bench [-- --batch 1 --pytorch ...]
//   --models LIST   default, or files; adm is made by bench/adm.js if it is not there (default,adm)
//   --batch LIST    images a run (1,4)
//   --size N        side of the images (256)
//   --runs N        of each step; --restores N of each restore, 0 for none; the first ones do not count (7, 2)
//   --steps N       sampling steps of a restore (20)
//   --rounds N      in which all that is compared takes turns (2)
//   --pytorch       the same steps in PyTorch too; --python FILE names the interpreter (python3)
//   --ways LIST     of bench/pytorch.py (eager,best,bfloat16; on CUDA eager,best,compiled, and in fp16 those of it)
//   --device, --precision, --threads   as the sessions take them; PyTorch runs on CUDA where dsg does
//   --json FILE     all single figures
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultModel } from '../dist/pipeline/model.js';

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: 'default,adm' },
    batch: { type: 'string', default: '1,4' },
    size: { type: 'string', default: '256' },
    runs: { type: 'string', default: '7' },
    restores: { type: 'string', default: '2' },
    steps: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '2' },
    pytorch: { type: 'boolean', default: false },
    python: { type: 'string', default: 'python3' },
    ways: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    precision: { type: 'string', default: 'fp32' },
    threads: { type: 'string' },
    json: { type: 'string' },
  },
});
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const { device, precision } = values;
const onCuda = device === 'cuda';
const threads = values.threads && { threads: Number(values.threads) };
const [size, runs, rounds] = [values.size, values.runs, values.rounds].map(Number);
const adm = here('../.cache/adm.onnx');
const files = { default: defaultModel, adm };

/**
 * glibc's settings by which freed memory stays with the process: where page faults are slow, PyTorch gains a
 * fifth of a guided step's time by them, and takes a fifth more memory.
 */
const kept = { MALLOC_TRIM_THRESHOLD_: '100000000000', MALLOC_MMAP_MAX_: '0' };
const memories = onCuda ? { '': {} } : { '': {}, ', memory kept': kept };
const half = precision === 'fp16' ? ['float16', 'half', 'float16-compiled', 'half-compiled'] : [];
const usual = onCuda ? ['eager', 'best', 'compiled', ...half] : ['eager', 'best', 'bfloat16'];
const ways = values.ways?.split(',') ?? usual;

/** On CUDA a graph is compared with the CPU before its first use: once for all processes, by this cache. */
const shared = onCuda ? mkdtempSync(path.join(tmpdir(), 'dsg-bench-')) : undefined;
if (shared) process.on('exit', () => rmSync(shared, { recursive: true, force: true }));

/** Runs a program by itself, so that its peak memory is its own. */
function run(program, args, env = {}) {
  const child = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.status !== 0) throw new Error(`bench: ${[program, ...args].join(' ')} failed`);
  return child.stdout;
}

function measure(model, batch, what, times, folder = shared) {
  const session = { device, precision, ...threads };
  const steps = Number(values.steps);
  const settings = {
    model: files[model] ?? model,
    size,
    batch,
    runs: times,
    steps,
    session,
    folder,
  };
  return JSON.parse(run(process.execPath, [here('measure.js'), what, JSON.stringify(settings)]));
}

/** The peak memory of a guided step that starts from a cache which has its graph, as all but the first do. */
function fromCache(model, batch) {
  const folder = mkdtempSync(path.join(tmpdir(), 'dsg-bench-'));
  try {
    const [, { peakMiB }] = [1, 2].map(() => measure(model, batch, 'guided', 1, folder));
    return { peakMiB };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function pytorch(model, batch, how, env) {
  const options = ['--batch', batch, '--runs', Math.ceil(runs / rounds), '--size', size];
  if (onCuda) options.push('--device', 'cuda');
  const args = [here('pytorch.py'), model, how, ...options.map(String)];
  return JSON.parse(run(values.python, args, env));
}

/** Lists of all rounds joined, and the largest of each number. */
function join(found) {
  const joined = {};
  for (const one of found)
    for (const [name, value] of Object.entries(one))
      joined[name] = Array.isArray(value)
        ? [...(joined[name] ?? []), ...value]
        : Math.max(joined[name] ?? 0, value);
  return joined;
}

function spread(list, digits) {
  const sorted = list.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  return [sorted[0], middle, sorted.at(-1)].map((v) => v.toFixed(digits)).join(' / ');
}

function report(name, found) {
  const { plain, guided, ratio, outside, restore, peakMiB, gpuMiB, peakGpuMiB } = found;
  const { tf32Convolutions, tf32Products } = found;
  // A GPU takes milliseconds.
  const [unit, factor, digits] = onCuda ? ['ms', 1000, 2] : ['s', 1, 3];
  const times = (list) =>
    spread(
      list.map((v) => factor * v),
      digits,
    );
  const row = (what, value) => console.log(`  ${name.padEnd(30)} ${what.padEnd(30)} ${value}`);
  if (plain) row(`plain forward, ${unit}`, times(plain));
  if (guided) row(`guided step, ${unit}`, times(guided));
  if (ratio) row('guided ÷ plain, run by run', spread(ratio, 2));
  if (outside) row('outside ONNX Runtime, %', spread(outside, 1));
  if (restore) row(`restore of ${values.steps} steps, s`, spread(restore, onCuda ? 3 : 2));
  row('peak memory, MiB', peakMiB.toFixed(0));
  if (gpuMiB !== undefined) row('memory of the GPU, MiB', gpuMiB.toFixed(0));
  if (peakGpuMiB !== undefined) row("PyTorch's part of it, MiB", peakGpuMiB.toFixed(0));
  const switched = (on) => (on ? 'on' : 'off');
  if (tf32Convolutions !== undefined)
    row(
      'TF32 in convolutions, products',
      `${switched(tf32Convolutions)}, ${switched(tf32Products)}`,
    );
}

const all = {};
for (const model of values.models.split(',')) {
  if (model === 'adm' && !existsSync(adm)) run(process.execPath, [here('adm.js'), adm]);
  for (const batch of values.batch.split(',').map(Number)) {
    console.log(`\n${model}, ${size}×${size}, batch ${batch}; minimum / median / maximum`);
    const compared = {
      [`dsg, ${device}`]: () => measure(model, batch, 'pair', Math.ceil(runs / rounds)),
    };
    if (values.pytorch && model in files)
      for (const how of ways)
        for (const [memory, env] of Object.entries(memories))
          compared[`PyTorch, ${how}${memory}`] = () => pytorch(model, batch, how, env);
    const found = Object.fromEntries(Object.keys(compared).map((name) => [name, []]));
    for (let i = 0; i < rounds; i++)
      for (const [name, way] of Object.entries(compared)) {
        try {
          found[name].push(way());
        } catch (error) {
          // To compile takes what not every machine with a GPU has; the rest is still worth its time there.
          if (!onCuda || !name.startsWith('PyTorch')) throw error;
          console.log(`  ${error.message}`);
          delete compared[name];
          delete found[name];
        }
      }
    for (const what of ['plain', 'guided'])
      found[`dsg, ${what} only`] = [measure(model, batch, what, 1)];
    if (!onCuda) found['dsg, guided only, cached'] = [fromCache(model, batch)];
    const restores = Number(values.restores);
    if (restores > 0) found['dsg, whole'] = [measure(model, batch, 'restore', restores)];
    for (const [name, list] of Object.entries(found)) {
      const joined = join(list);
      report(name, joined);
      (all[`${model}, batch ${batch}`] ??= {})[name] = joined;
    }
    if (values.json) writeFileSync(values.json, JSON.stringify(all, undefined, 2));
  }
  if (device !== 'cpu') continue;
  const start = ['--model', files[model] ?? model, '--size', String(size)];
  console.log(`\n${run(process.execPath, [here('start.js'), ...start]).trimEnd()}`);
}
