// Figures of the README: npm run build && npm run bench [-- --size 256 --batch 1 --runs 7]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: '' },
    size: { type: 'string', default: '256' },
    batch: { type: 'string', default: '1' },
    runs: { type: 'string', default: '7' },
  },
});
const settings = {
  model: values.model || undefined,
  size: Number(values.size),
  batch: Number(values.batch),
  runs: Number(values.runs),
};

/** Runs one measurement in a process of its own, so that its peak memory is its own. */
function measure(what) {
  const script = fileURLToPath(new URL('measure.js', import.meta.url));
  const child = spawnSync(process.execPath, [script, what, JSON.stringify(settings)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.status !== 0) throw new Error(`bench: '${what}' failed`);
  return JSON.parse(child.stdout);
}

const spread = (list, digits) => {
  const sorted = list.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  return [sorted[0], middle, sorted.at(-1)].map((v) => v.toFixed(digits)).join(' / ');
};
const row = (name, value) => console.log(`${name.padEnd(44)} ${value}`);

console.log(`${settings.size}×${settings.size}, batch ${settings.batch}, ${settings.runs} runs`);
console.log('minimum / median / maximum\n');
const pair = measure('pair');
row('plain forward, s', spread(pair.plain, 3));
row('guided step, s', spread(pair.guided, 3));
row('guided step ÷ plain forward, run by run', spread(pair.ratio, 2));
row(
  'share of a step outside ONNX Runtime, %',
  spread(
    pair.outside.map((v) => 100 * v),
    1,
  ),
);
for (const what of ['plain', 'guided']) {
  const { peakMiB, startSeconds } = measure(what);
  row(`${what}: peak memory, MiB`, peakMiB.toFixed(0));
  row(`${what}: start to first result, s`, startSeconds.toFixed(2));
}
