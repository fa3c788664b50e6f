/** Small networks for losses, as ONNX files of the form that published ones have. */
import { writeFileSync } from 'node:fs';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Value } from '../../src/onnx/graph.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { sizeOf } from '../../src/tensor/tensor.ts';
import { encodeOpenBatch } from '../helpers/open-batch.ts';
import { randomTensor } from '../helpers/random.ts';

interface Options {
  readonly size?: number;
  /** Of the input that takes the image. */
  readonly input?: string;
  readonly opset?: number;
  /** Leave the batch as it is: one. */
  readonly single?: boolean;
}

/** Writes a network of images `[batch,3,size,size]`; what `build` returns are its outputs. */
export function writeNetwork(
  file: string,
  build: (b: GraphBuilder, image: Value) => Record<string, Value>,
  { size = 16, input = 'image', opset = 17, single = false }: Options = {},
): string {
  const b = new GraphBuilder(emptyGraph('network', opset));
  const image = b.input(input, 'float32', [1, 3, size, size]);
  for (const [name, value] of Object.entries(build(b, image))) b.output(value, name);
  writeFileSync(file, single ? encodeGraph(b.graph) : encodeOpenBatch(b.graph));
  return file;
}

/** A convolution of 3×3 with padding, seeded by its name, which its output has. */
function conv(b: GraphBuilder, x: Value, name: string, to: number, stride = 1): Value {
  const shape = [to, x.shape[1] ?? 0, 3, 3];
  const fan = Math.sqrt(sizeOf(shape.slice(1)));
  const weights = randomTensor(name, shape).data.map((v) => v / fan);
  const w = b.constant(weights, 'float32', shape);
  const strides = [stride, stride];
  return b.rename(b.op('Conv', [x, w], { pads: [1, 1, 1, 1], strides }), name);
}

/** Two layers of convolutions, `conv1` and `conv2`, as VGG begins. */
export function writeFeatures(file: string, options?: Options): string {
  return writeNetwork(
    file,
    (b, image) => {
      const first = b.op('Relu', [conv(b, image, 'conv1', 4)]);
      return { features: b.op('Relu', [conv(b, first, 'conv2', 6, 2)]) };
    },
    options,
  );
}

/** `[batch,dim]` of means over positions, as the towers of CLIP and ArcFace end. */
export function writeEmbedder(
  file: string,
  { output = 'embedding', dim = 8, ...options }: Options & { output?: string; dim?: number } = {},
): string {
  return writeNetwork(
    file,
    (b, image) => {
      const layer = b.op('Tanh', [conv(b, image, 'conv', dim, 2)]);
      return { [output]: b.reduce('Mean', layer, [2, 3], false) };
    },
    options,
  );
}

/** Logits `[batch,classes,h/2,w/2]`: how near a pixel is to each of some greys. */
export function writeSegmenter(file: string, options?: Options): string {
  return writeNetwork(
    file,
    (b, image) => {
      const half = b.op('AveragePool', [image], { kernel_shape: [2, 2], strides: [2, 2] });
      const grey = b.reduce('Mean', half, [1]);
      const greys = b.constant([-0.6, 0, 0.6], 'float32', [1, 3, 1, 1]);
      const off = b.sub(grey, greys);
      return { logits: b.scale(b.mul(off, off), -10) };
    },
    options,
  );
}

/** How bright the image is: lower is darker. */
export function writeJudge(file: string, options?: Options): string {
  return writeNetwork(file, (b, image) => ({ score: b.reduce('Mean', image, [1, 2, 3]) }), options);
}

/** Tokens `[1,77]` to `text_embeds` `[1,dim]`: the mean of a vector for each. */
export function writeTextTower(file: string, { dim = 8, vocabulary = 600 } = {}): string {
  const b = new GraphBuilder();
  const ids = b.input('input_ids', 'int64', [1, 77]);
  const table = randomTensor('table', [vocabulary, dim]).data;
  const vectors = b.op('Gather', [b.constant(table, 'float32', [vocabulary, dim]), ids]);
  b.output(b.reduce('Mean', vectors, [1], false), 'text_embeds');
  writeFileSync(file, encodeGraph(b.graph));
  return file;
}
