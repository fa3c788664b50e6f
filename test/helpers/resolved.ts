/** Models as ONNX Runtime runs them, and as they are resolved: the two compute the same. */
import * as ort from 'onnxruntime-node';
import { expect } from 'vitest';
import type { Graph, Value } from '../../src/onnx/graph.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { parseModel, type OnnxModel } from '../../src/onnx/read.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { randomTensor } from './random.ts';
import { runGraph } from './run.ts';

export function modelIn(bytes: Uint8Array): OnnxModel {
  return parseModel(bytes, { folder: '.', where: 'model' });
}

/** Integers as initializers: a scalar where a number is given, else a vector. */
export function withIntegers(graph: Graph, integers: Record<string, number | number[]>): Graph {
  for (const [name, value] of Object.entries(integers)) {
    const list = [value].flat();
    const shape = typeof value === 'number' ? [] : [list.length];
    const bytes = BigInt64Array.from(list.map(BigInt));
    graph.initializers.set(name, initializerFrom('int64', shape, bytes));
  }
  return graph;
}

/** What ONNX Runtime makes of the file as it is: y of a random x. */
async function asItIs(
  bytes: Uint8Array,
  x: Value,
): Promise<{ shape: number[]; data: Float32Array }> {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const { data } = randomTensor('x', x.shape);
  const { y } = await session.run({ x: new ort.Tensor('float32', data, [...x.shape]) });
  await session.release();
  return { shape: [...(y as ort.Tensor).dims], data: (y as ort.Tensor).data as Float32Array };
}

/** The resolved graph of a model of x, which gives the same y. */
export async function sameWhenResolved(bytes: Uint8Array, x: Value): Promise<Graph> {
  const graph = await resolveGraph(modelIn(bytes));
  const results = await runGraph(graph, { x: randomTensor('x', x.shape) });
  expect(results['y']).toEqual(await asItIs(bytes, x));
  return graph;
}
