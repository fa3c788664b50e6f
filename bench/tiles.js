// What a guided step costs as the image grows, whole and through windows, into docs/tiles.svg:
//   npm run build && node bench/tiles.js [--sides 256,384,512,768,1024] [--whole 512]
// In processor time of one thread, which a busy machine stretches least.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measurementLoss } from '../dist/guided/measured.js';
import { gaussianBlur } from '../dist/operators/blur.js';
import { openDenoiser } from '../dist/pipeline/denoiser.js';
import { defaultModel, loadModel } from '../dist/pipeline/model.js';
import { openWindowedDenoiser } from '../dist/pipeline/windowed.js';
import { tilingFor } from '../dist/pipeline/windows.js';
import { frame, lineChart } from '../dist/report/chart.js';
import { linear } from '../dist/report/scale.js';
import { gaussian, noiseKey } from '../dist/tensor/noise.js';
import { tensor } from '../dist/tensor/tensor.js';

const { values } = parseArgs({
  options: {
    sides: { type: 'string', default: '256,384,512,768,1024' },
    /** The largest side that is also taken whole. */
    whole: { type: 'string', default: '512' },
    output: {
      type: 'string',
      default: fileURLToPath(new URL('../docs/tiles.svg', import.meta.url)),
    },
    /** What a process is to measure. */
    side: { type: 'string' },
    tiled: { type: 'boolean', default: false },
  },
});
if (values.side) console.log(JSON.stringify(await measure(Number(values.side), values.tiled)));
else draw();

/** Processor seconds of the second guided step, and the peak memory of the process. */
async function measure(side, tiled) {
  const model = await loadModel(defaultModel);
  const image = [3, side, side];
  const key = noiseKey(0, 'bench');
  const y = tensor(image, gaussian(key, 'measurement', 0, [1, ...image]).data);
  const subject = { losses: [measurementLoss(gaussianBlur({ size: 61, std: 3 }), y)] };
  const input = {
    model,
    like: subject,
    batch: 1,
    canvas: { height: side, width: side },
    placement: { image, top: 0, left: 0 },
    session: { threads: 1 },
  };
  const denoiser = tiled
    ? openWindowedDenoiser({ ...input, tiling: tilingFor(model, {}) })
    : openDenoiser(input);
  const denoise = denoiser.bind([subject]);
  const x = gaussian(key, 'x_T', 0, [1, ...image]);
  const step = { index: 50, timestep: 500, alphaBar: 0.5, alphaBarPrevious: 0.6 };
  await denoise(x, step, { gradient: true });
  const before = process.cpuUsage();
  await denoise(x, step, { gradient: true });
  const { user, system } = process.cpuUsage(before);
  await denoiser.release();
  return {
    seconds: (user + system) / 1e6,
    peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

function measured(side, tiled) {
  const args = [
    fileURLToPath(import.meta.url),
    '--side',
    String(side),
    ...(tiled ? ['--tiled'] : []),
  ];
  const child = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.status !== 0) throw new Error(`tiles: ${side}×${side} failed`);
  const found = JSON.parse(child.stdout);
  console.log(
    `${tiled ? 'windows' : 'whole'.padEnd(7)} ${side}×${side}: ${found.seconds.toFixed(2)} s, ${found.peakMiB} MiB`,
  );
  return { megapixels: (side * side) / 2 ** 20, ...found };
}

function draw() {
  const sides = values.sides.split(',').map(Number);
  const whole = sides.filter((s) => s <= Number(values.whole)).map((s) => measured(s, false));
  const tiled = sides.map((s) => measured(s, true));
  const chart = (title, yLabel, of) => {
    const all = [...whole, ...tiled];
    const x = linear([0, ...all.map((p) => p.megapixels)], frame.left, frame.right);
    const y = linear([0, ...all.map(of)], frame.bottom, frame.top);
    const series = [whole, tiled].map((list, method) => ({
      method,
      markers: true,
      points: list.map((p) => ({ x: p.megapixels, y: of(p), label: String(of(p)) })),
    }));
    return lineChart({ title, x, y, xLabel: 'megapixels', yLabel }, series).html;
  };
  writeFileSync(
    values.output,
    page([
      chart('Seconds a guided step', 'processor seconds a step', (p) => p.seconds),
      chart('Peak memory', 'peak memory, MiB', (p) => p.peakMiB),
    ]),
  );
}

/** Two charts side by side under a legend, in colours that tell apart on light and dark. */
function page(charts) {
  const placed = charts.map((svg, i) =>
    svg.replace('<svg ', `<svg x="${i * 370}" y="24" width="360" height="230" `),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 730 260" font-family="sans-serif">
<style>
  text { font-size: 10px; fill: #888 }
  .grid { stroke: #8884 }
  polyline, .series line { fill: none; stroke-width: 1.5 }
  .m0 polyline { stroke: #c60 } .m0 path { fill: #c60 }
  .m1 polyline { stroke: #27c } .m1 path { fill: #27c }
</style>
<g class="m0"><path d="M50 8h10v8h-10z" /></g><text x="66" y="16">the whole image at once</text>
<g class="m1"><path d="M210 8h10v8h-10z" /></g><text x="226" y="16">--tile auto: windows of 256×256</text>
${placed.join('\n')}
</svg>
`;
}
