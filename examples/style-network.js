// Writes style-network.onnx: three layers of random 5×5 convolutions, relu1 to relu3, for losses of
// style and features. Random weights see textures too: Ulyanov et al. (2016), Gram matrices of them
// hold a style. For published networks see docs/guidance.md. Run: node examples/style-network.js FILE
import { GraphBuilder } from '../dist/onnx/builder.js';
import { writeGraph } from '../dist/onnx/write.js';
import { gaussian, noiseKey } from '../dist/tensor/noise.js';

const [file = 'style-network.onnx'] = process.argv.slice(2);
const channels = [3, 24, 48, 64];
const b = new GraphBuilder();
let x = b.input('image', 'float32', [1, 3, 64, 64]);
channels.slice(1).forEach((to, i) => {
  const from = channels[i];
  const { data } = gaussian(noiseKey(0, `layer ${i}`), 'sample', 0, [to, from, 5, 5]);
  const weights = data.map((v) => v * Math.sqrt(2 / (25 * from)));
  const w = b.constant(weights, 'float32', [to, from, 5, 5]);
  const pads = [2, 2, 2, 2];
  x = b.rename(b.op('Relu', [b.op('Conv', [x, w], { pads })]), `relu${i + 1}`);
  if (i < 2) x = b.op('AveragePool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
});
b.output(x, 'features');
const open = ['batch', 3, 'height', 'width'];
const deep = ['batch', 64, 'height/4', 'width/4'];
await writeGraph(b.graph, file, { open: { image: open, features: deep } });
