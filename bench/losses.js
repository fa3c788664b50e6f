// Draws the pictures of docs/guidance.md: npm run build && node bench/losses.js [FOLDER]
// FOLDER keeps the samples; what is there already is not made again.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const folder = path.resolve(process.argv[2] ?? path.join(tmpdir(), 'dsg-losses'));
mkdirSync(folder, { recursive: true });
const at = (name) => path.join(folder, name);
const side = 64;

/** Discs of five colours, from a linear congruential generator: the same wherever it is drawn. */
function confetti() {
  let state = 12345;
  const next = () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  const colours = ['#f2c14e', '#d1495b', '#00798c', '#edeae5', '#30343f'];
  const discs = Array.from({ length: 260 }, () => {
    const [x, y] = [next() * side, next() * side];
    const [r, colour] = [2 + 2.5 * next(), colours[Math.floor(next() * 5)]];
    return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${r.toFixed(1)}" fill="${colour}"/>`;
  });
  return `<rect width="64" height="64" fill="#30343f"/>${discs.join('')}`;
}
const targets = {
  'confetti.png': confetti(),
  'sunset.png':
    '<defs><linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#20306e"/>' +
    '<stop offset="0.5" stop-color="#e0703a"/><stop offset="0.62" stop-color="#ffd27a"/>' +
    '<stop offset="0.63" stop-color="#3a2238"/><stop offset="1" stop-color="#120c20"/></linearGradient>' +
    '</defs><rect width="64" height="64" fill="url(#g)"/><circle cx="40" cy="34" r="6" fill="#fff1c0"/>',
};
for (const [name, drawing] of Object.entries(targets)) {
  if (existsSync(at(name))) continue;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}">${drawing}</svg>`;
  await sharp(Buffer.from(svg)).removeAlpha().png().toFile(at(name));
}
const network = at('style.onnx');
if (!existsSync(network)) execFileSync('node', [here('../examples/style-network.js'), network]);

function sample(name, count, args) {
  const common = [
    '--batch',
    count,
    '--width',
    side,
    '--steps',
    50,
    '-q',
    '--resume',
    '-o',
    at(name),
  ];
  const line = [here('../bin/dsg.js'), 'generate', '--count', count, ...common, ...args];
  execFileSync('node', line.map(String), { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  return Array.from({ length: count }, (_, i) => path.join(at(name), `000${i}.png`));
}

/** Rows of pictures, enlarged, as a small WebP. */
async function sheet(file, rows, scale = 2) {
  const [cell, gap] = [side * scale, 6];
  const columns = Math.max(...rows.map((r) => r.length));
  const composite = await Promise.all(
    rows.flatMap((row, y) =>
      row.map(async (source, x) => ({
        input: await sharp(source).resize({ width: cell, kernel: 'nearest' }).png().toBuffer(),
        left: x * (cell + gap),
        top: y * (cell + gap),
      })),
    ),
  );
  const size = (n) => n * (cell + gap) - gap;
  const create = {
    width: size(columns),
    height: size(rows.length),
    channels: 3,
    background: 'white',
  };
  await sharp({ create })
    .composite(composite)
    .webp({ quality: 80 })
    .toFile(here(`../docs/guidance/${file}`));
}

const guided = (...loss) => ['--eta', 1, '--loss', ...loss, '--rate', 0.3];
const blank = await sharp({
  create: { width: side, height: side, channels: 3, background: 'white' },
})
  .png()
  .toBuffer();
const sunset = at('sunset.png');
await sheet('colours.webp', [
  [blank, ...sample('p-none', 4, ['--eta', 1])],
  [sunset, ...sample('p-color', 4, guided('color', '--target', 'sunset.png'))],
  [blank, ...sample('p-palette', 4, guided('color,distance=palette', '--target', 'sunset.png'))],
]);
const style = ['--loss', 'style:style.onnx,layers=relu1+relu2', '--target', 'confetti.png'];
const freely = ['--method', 'freedom', '--step-size', 0.1];
await sheet('style.webp', [[at('confetti.png'), ...sample('p-style', 4, [...style, ...freely])]]);

const methods = [
  ['dps', '--step-size', 100],
  ['freedom', '--step-size', 0.1],
  ['ugd', '--step-size', 500],
  ['dsg', '--rate', 0.1],
].map((args, i) =>
  sample(`m-${i + 1}`, 2, ['--loss', 'color', '--target', 'sunset.png', '--method', ...args]),
);
await sheet(
  'methods.webp',
  [0, 1].map((i) => methods.map((pair) => pair[i])),
);
