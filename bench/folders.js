// Lanes and memory over folders of small images: npm run build && node bench/folders.js lanes|memory
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeImage } from '../dist/image/write.js';
import { gaussian, noiseKey } from '../dist/tensor/noise.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: '32' },
    images: { type: 'string', default: '12' },
    steps: { type: 'string', default: '10' },
    runs: { type: 'string', default: '3' },
    model: { type: 'string' },
  },
});
const root = mkdtempSync(join(tmpdir(), 'dsg-folders-'));
const bin = fileURLToPath(new URL('../bin/dsg.js', import.meta.url));

async function folderOf(count) {
  const folder = join(root, `clean-${count}`);
  mkdirSync(folder, { recursive: true });
  const shape = [3, Number(values.size), Number(values.size)];
  for (let i = 0; i < count; i++)
    await writeImage(
      join(folder, `${i}.png`),
      gaussian(noiseKey(0, `${i}`), 'x_T', 0, shape),
      'png',
    );
  return folder;
}

/** Seconds and peak memory of one run, in a process of its own. */
function measure(folder, more) {
  const out = join(root, 'out');
  const model = values.model ? ['--model', values.model] : [];
  const task = ['--task', 'deblur', '--simulate', '--steps', values.steps, '--device', 'cpu', '-q'];
  const script = `
    const { run } = await import(${JSON.stringify(new URL('../dist/cli/main.js', import.meta.url).href)});
    const quiet = { write: () => true };
    const began = performance.now();
    const code = await run(process.argv.slice(1), { stdout: quiet, stderr: process.stderr, env: {} });
    const seconds = (performance.now() - began) / 1000;
    console.log(JSON.stringify({ code, seconds, peakMiB: process.resourceUsage().maxRSS / 1024 }));`;
  const args = ['restore', folder, '-o', out, ...task, ...model, ...more];
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, '--', ...args], {
    encoding: 'utf8',
    cwd: join(bin, '../..'),
  });
  rmSync(out, { recursive: true, force: true });
  const done = JSON.parse(child.stdout || 'null');
  if (done?.code !== 0)
    throw new Error(`${child.status} ${child.signal} ${child.stdout} ${child.stderr}`);
  return done;
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

if (positionals[0] === 'memory') {
  for (const count of [10, 100, 1000]) {
    const { peakMiB } = measure(await folderOf(count), ['--lanes', '2', '--json']);
    console.log(`${String(count).padStart(5)} images: peak ${peakMiB.toFixed(0)} MiB`);
  }
} else {
  const count = Number(values.images);
  const folder = await folderOf(count);
  const kinds = [
    ['1 lane', '--lanes', '1'],
    ['2 lanes', '--lanes', '2'],
    ['4 lanes', '--lanes', '4'],
    ['1 lane, batch 4', '--lanes', '1', '--batch', '4'],
    ['2 lanes, batch 4', '--lanes', '2', '--batch', '4'],
  ];
  const rates = kinds.map(() => []);
  // In turns, so that the machine's other load falls on all alike.
  for (let run = 0; run < Number(values.runs); run++)
    kinds.forEach(([, ...more], i) => rates[i].push((60 * count) / measure(folder, more).seconds));
  kinds.forEach(([name], i) => {
    const ratio = median(rates[i].map((rate, run) => rate / rates[0][run]));
    console.log(
      `${name.padEnd(18)} ${median(rates[i]).toFixed(1)} images/min, ${ratio.toFixed(2)} x`,
    );
  });
}
rmSync(root, { recursive: true });
