// The network of the DPS article's FFHQ model (ADM, 93.6 M parameters, 256×256) with random weights:
//   node bench/adm.js .cache/adm.onnx && npm run bench -- --model .cache/adm.onnx
import { writeFile } from 'node:fs/promises';
import { importAdm } from '../dist/checkpoint/adm/import.js';
import { cardPath } from '../dist/card/read.js';
import { writeGraph } from '../dist/onnx/write.js';
import { gaussian, noiseKey } from '../dist/tensor/noise.js';

const width = 128;
const multipliers = [1, 1, 2, 2, 4, 4];
const attentionAt = 4; // 256 / 2^4 = 16

const state = new Map();
function weight(name, shape, deviation) {
  const bytes = () => {
    const { data } = gaussian(noiseKey(0, name), 'sample', 0, shape);
    for (let i = 0; i < data.length; i++) data[i] *= deviation;
    return new Uint8Array(data.buffer);
  };
  state.set(name, { dtype: 'float32', shape, bytes });
}
/** A layer whose outputs have about the size of its inputs. */
function layer(name, shape) {
  const inputs = shape.slice(1).reduce((n, d) => n * d, 1);
  weight(`${name}.weight`, shape, 1 / Math.sqrt(inputs));
  weight(`${name}.bias`, shape.slice(0, 1), 0.02);
}
function norm(name, channels) {
  const ones = new Float32Array(channels).fill(1);
  const bytes = (array) => () => new Uint8Array(array.buffer);
  state.set(`${name}.weight`, { dtype: 'float32', shape: [channels], bytes: bytes(ones) });
  const zeros = new Float32Array(channels);
  state.set(`${name}.bias`, { dtype: 'float32', shape: [channels], bytes: bytes(zeros) });
}
function residual(name, from, to) {
  norm(`${name}.in_layers.0`, from);
  layer(`${name}.in_layers.2`, [to, from, 3, 3]);
  layer(`${name}.emb_layers.1`, [2 * to, 4 * width]);
  norm(`${name}.out_layers.0`, to);
  layer(`${name}.out_layers.3`, [to, to, 3, 3]);
  if (from !== to) layer(`${name}.skip_connection`, [to, from, 1, 1]);
}
function attention(name, channels) {
  norm(`${name}.norm`, channels);
  layer(`${name}.qkv`, [3 * channels, channels, 1]);
  layer(`${name}.proj_out`, [channels, channels, 1]);
}

layer('time_embed.0', [4 * width, width]);
layer('time_embed.2', [4 * width, 4 * width]);
layer('input_blocks.0.0', [width, 3, 3, 3]);
const kept = [width];
let channels = width;
let block = 1;
multipliers.forEach((m, level) => {
  residual(`input_blocks.${block}.0`, channels, m * width);
  channels = m * width;
  if (level === attentionAt) attention(`input_blocks.${block}.1`, channels);
  block++;
  kept.push(channels);
  if (level === multipliers.length - 1) return;
  residual(`input_blocks.${block++}.0`, channels, channels);
  kept.push(channels);
});
residual('middle_block.0', channels, channels);
attention('middle_block.1', channels);
residual('middle_block.2', channels, channels);
block = 0;
for (let level = multipliers.length - 1; level >= 0; level--)
  for (const last of [false, true]) {
    const name = `output_blocks.${block++}`;
    const to = multipliers[level] * width;
    residual(`${name}.0`, channels + kept.pop(), to);
    channels = to;
    if (level === attentionAt) attention(`${name}.1`, channels);
    if (last && level > 0) residual(`${name}.${level === attentionAt ? 2 : 1}`, channels, channels);
  }
norm('out.0', channels);
layer('out.2', [6, channels, 3, 3]);

const [, , output = '.cache/adm.onnx'] = process.argv;
const parameters = [...state.values()].reduce(
  (n, { shape }) => n + shape.reduce((a, b) => a * b),
  0,
);
const { graph, open, card } = importAdm(state, { imageSize: 256, headChannels: 64 }, 'random');
await writeGraph(graph, output, { open, externalFrom: 1024 });
await writeFile(cardPath(output), JSON.stringify(card));
console.log(`${output}: ${(parameters / 1e6).toFixed(1)} M parameters`);
