/** Small classifiers as ONNX files. */
import { writeFileSync } from 'node:fs';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Value } from '../../src/onnx/graph.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { encodeOpenBatch } from './open-batch.ts';
import { randomTensor } from './random.ts';

interface ClassifierShape {
  /** `[C,H,W]` */
  readonly image: readonly [number, number, number];
  readonly classes?: number;
  /** Give it a timestep as well, which the logits depend on. */
  readonly noisy?: boolean;
  readonly opset?: number;
  /** Leave the batch as it is: one. */
  readonly single?: boolean;
  /** In place of the usual nodes, from an image `[1,C,H,W]` to anything. */
  readonly head?: (b: GraphBuilder, image: Value) => Value;
}

/** Writes logits = tanh(image) W, times 1 + t/1000 where it takes t; returns the path. */
export function writeClassifier(
  file: string,
  { image, classes = 3, noisy = false, opset = 17, single = false, head }: ClassifierShape,
): string {
  const b = new GraphBuilder(emptyGraph('classifier', opset));
  const x = b.input('image', 'float32', [1, ...image]);
  const t = noisy ? b.input('t', 'float32', [1]) : undefined;
  const features = image.reduce((n, d) => n * d, 1);
  const linear = (): Value => {
    const weights = randomTensor('classifier', [features, classes]).data;
    const matrix = initializerFrom('float32', [features, classes], weights);
    const bent = b.op('Reshape', [b.op('Tanh', [x]), b.ints([-1, features])]);
    return b.matMul(bent, b.initializer('weights', matrix));
  };
  const logits = head ? head(b, x) : linear();
  const scale = t && b.op('Reshape', [b.scale(t, 1 / 1000), b.ints([-1, 1])]);
  b.output(scale ? b.mul(logits, b.add(scale, b.scalar(1, scale))) : logits, 'logits');
  writeFileSync(file, single ? encodeGraph(b.graph) : encodeOpenBatch(b.graph));
  return file;
}
