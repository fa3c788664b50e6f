/** Networks whose weights lie in a file of their own. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Value } from '../../src/onnx/graph.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { writeGraph } from '../../src/onnx/write.ts';
import { sizeOf } from '../../src/tensor/tensor.ts';

interface Weights {
  readonly shape: readonly number[];
  /** All of them. */
  readonly value: number;
}

/** Writes a network of one array of weights, which `NAME.onnx.data` holds; returns the path. */
export async function writeBeside(
  file: string,
  { shape, value }: Weights,
  build: (b: GraphBuilder, weights: Value) => void,
): Promise<string> {
  const b = new GraphBuilder();
  const values = new Float32Array(sizeOf(shape)).fill(value);
  build(b, b.initializer('weights', initializerFrom('float32', shape, values)));
  await writeGraph(b.graph, file, { externalFrom: 1 });
  return file;
}

/** That a network is written with other weights, and its own file as before. */
export async function expectOthersBeside(
  file: string,
  write: (value: number) => Promise<unknown>,
): Promise<void> {
  const before = [file, `${file}.data`].map((f) => readFileSync(f));
  await write(0.25);
  const [own, data] = [file, `${file}.data`].map((f) => readFileSync(f));
  expect(own).toEqual(before[0]);
  expect(data).not.toEqual(before[1]);
}
