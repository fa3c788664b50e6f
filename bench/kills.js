// Kills runs at random moments and resumes them: npm run build && node bench/kills.js [--kills 200]
// Whatever is under a final name must be whole, nothing finished may be made again, and in the end
// every byte must be that of one undisturbed run, but for date and timing.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeImage } from '../dist/image/write.js';
import { gaussian, noiseKey } from '../dist/tensor/noise.js';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    images: { type: 'string', default: '40' },
    steps: { type: 'string', default: '4' },
    model: { type: 'string' },
    lanes: { type: 'string', default: '2' },
  },
});
const kills = Number(values.kills);
const root = mkdtempSync(join(tmpdir(), 'dsg-kills-'));
const bin = fileURLToPath(new URL('../bin/dsg.js', import.meta.url));
const clean = join(root, 'clean');
mkdirSync(clean);
for (let i = 0; i < Number(values.images); i++) {
  const name = `image-${String(i).padStart(3, '0')}`;
  await writeImage(
    join(clean, `${name}.png`),
    gaussian(noiseKey(0, name), 'x_T', 0, [3, 32, 32]),
    'png',
  );
}

function argumentsFor(out) {
  const model = values.model ? ['--model', values.model] : [];
  const sampling = ['--steps', values.steps, '--lanes', values.lanes, '--device', 'cpu'];
  return [
    bin,
    'restore',
    clean,
    '-o',
    out,
    '--task',
    'deblur',
    '--simulate',
    ...sampling,
    ...model,
  ];
}

function complete(out) {
  const done = spawnSync(process.execPath, [...argumentsFor(out), '--resume', '-q'], {
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(done.stderr);
}

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

function contentOf(file) {
  const bytes = readFileSync(file);
  if (!/image-\d+\.json$/.test(file)) return digest(bytes);
  const { date: _, timing: __, ...rest } = JSON.parse(bytes.toString('utf8'));
  return digest(JSON.stringify(rest));
}

/** Resumes a run, and kills it after `ms`; false if it ended before. */
async function killedAfter(out, ms) {
  const child = spawn(process.execPath, [...argumentsFor(out), '--resume', '-q'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), ms);
  const [code, signal] = await new Promise((ended) => child.on('exit', (...how) => ended(how)));
  clearTimeout(timer);
  if (signal === null && code !== 0) throw new Error(`a run ended with ${code}`);
  return signal === 'SIGKILL';
}

const reference = join(root, 'reference');
const began = performance.now();
complete(reference);
const expected = new Map(filesIn(reference).map((f) => [f, contentOf(join(reference, f))]));
const whole = performance.now() - began;

let killed = 0;
let rounds = 0;
let leftovers = 0;
let halves = 0;
let lost = 0;
let remade = 0;
let finished = new Map();
let out;
while (killed < kills) {
  if (out === undefined) {
    out = join(root, `round-${rounds++}`);
    mkdirSync(out);
    finished = new Map();
  }
  // Up to the length of a whole run, so that kills fall on starting, sampling, writing and ending.
  if (await killedAfter(out, Math.random() * whole)) killed++;
  else {
    for (const [file, content] of expected)
      if (contentOf(join(out, file)) !== content) throw new Error(`${file} differs in ${out}`);
    rmSync(out, { recursive: true });
    out = undefined;
    continue;
  }
  const files = filesIn(out);
  leftovers = Math.max(leftovers, files.filter((f) => f.endsWith('.tmp')).length);
  for (const file of files)
    if (!file.endsWith('.tmp') && contentOf(join(out, file)) !== expected.get(file)) halves++;
  for (const [file, mtime] of finished) {
    if (!files.includes(file)) lost++;
    else if (statSync(join(out, file)).mtimeMs !== mtime) remade++;
  }
  finished = new Map(
    files
      .filter((f) => /image-\d+\.json$/.test(f))
      .flatMap((f) => [f, f.replace('.json', '.png')])
      .map((f) => [f, statSync(join(out, f)).mtimeMs]),
  );
}
if (out !== undefined) {
  complete(out);
  const files = filesIn(out);
  for (const file of files)
    if (contentOf(join(out, file)) !== expected.get(file)) throw new Error(`${file} differs`);
  if (files.length !== expected.size)
    throw new Error(`${files.length} files, not ${expected.size}`);
}
const ok = halves === 0 && lost === 0 && remade === 0;
console.log(JSON.stringify({ kills, rounds, leftovers, halves, lost, remade, bytesEqual: true }));
rmSync(root, { recursive: true });
process.exitCode = ok ? 0 : 1;
