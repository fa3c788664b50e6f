/** Networks of a few nodes, as ONNX files: fast, and with an answer that is known. */
import { writeFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { TensorShapeProto_DimensionSchema, type ValueInfoProto } from 'onnx-buf';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Value } from '../../src/onnx/graph.ts';
import { parseModel } from '../../src/onnx/read.ts';
import { encodeGraph, encodeModel } from '../../src/onnx/write.ts';
import { classifierGraph, labelledMixtureGraph, type Mixture } from '../helpers/mixture.ts';
import { encodeOpenBatch } from '../helpers/open-batch.ts';

interface Shape {
  readonly channels?: number;
  readonly size?: number;
  /** Leave batch, height and width open, or the batch alone. */
  readonly open?: boolean | 'batch';
  /** Give it one more input, y int64 `[1]`. */
  readonly labelled?: boolean;
}

/** Writes eps = network(x, t / 1000, y), t and y being `[N,1,1,1]`; returns the path. */
export function writeModel(
  file: string,
  network: (b: GraphBuilder, x: Value, t: Value, y: Value) => Value,
  { channels = 3, size = 16, open = true, labelled = false }: Shape = {},
): string {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [1, channels, size, size]);
  const t = b.input('t', 'float32', [1]);
  const level = b.op('Reshape', [b.scale(t, 1 / 1000), b.ints([-1, 1, 1, 1])]);
  const y = labelled ? b.cast(b.input('y', 'int64', [1]), 'float32') : t;
  const label = b.op('Reshape', [y, b.ints([-1, 1, 1, 1])]);
  b.output(network(b, x, level, label), 'eps');
  const { proto } = parseModel(encodeGraph(b.graph), { folder: '.', where: file });
  const values = [...(proto.graph?.input ?? []), ...(proto.graph?.output ?? [])];
  const names = open === 'batch' ? ['batch'] : ['batch', undefined, 'height', 'width'];
  if (open) for (const value of values) leaveOpen(value, names);
  writeFileSync(file, encodeModel(proto));
  return file;
}

function leaveOpen({ type }: ValueInfoProto, names: readonly (string | undefined)[]): void {
  if (type?.value.case !== 'tensorType') return;
  const dims = type.value.value.shape?.dim ?? [];
  names.forEach((name, axis) => {
    if (name === undefined || !dims[axis]) return;
    const value = { case: 'dimParam', value: name } as const;
    dims[axis] = create(TensorShapeProto_DimensionSchema, { value });
  });
}

/** eps = t x / 1000: roughly what a prior of small images predicts. */
export function writeShrinking(file: string, shape?: Shape): string {
  return writeModel(file, (b, x, t) => b.mul(x, t), shape);
}

/** The same, and NaN below timestep 500. */
export function writeFailing(file: string): string {
  return writeModel(file, (b, x, t) => {
    const root = b.op('Sqrt', [b.sub(t, b.scalar(0.5, t))]);
    return b.mul(x, b.add(t, b.scale(root, 0)));
  });
}

/** The same, and NaN at timestep 999 for images whose first value of noise is negative. */
export function writeSelective(file: string): string {
  return writeModel(file, (b, x, t) => {
    const first = b.op('Slice', [x, b.ints([0, 0, 0]), b.ints([1, 1, 1]), b.ints([1, 2, 3])]);
    const noisiest = b.op('Relu', [b.sub(t, b.scalar(0.998, t))]);
    const root = b.op('Sqrt', [b.mul(first, noisiest)]);
    return b.mul(x, b.add(t, b.scale(root, 0)));
  });
}

/** The means of the images of each class, and the spread about them. */
const classMeans = [-0.6, 0, 0.6];

/** Images of one grey, which depends on the class. */
function classMixture(size: number): Mixture {
  const d = 3 * size * size;
  return {
    shape: [3, size, size],
    weights: [0.2, 0.3, 0.5],
    means: classMeans.map((m) => new Array<number>(d).fill(m)),
    variances: classMeans.map(() => new Array<number>(d).fill(0.01)),
  };
}

/** The exact p(c|x_t) of those images: x `[batch,3,size,size]` and t; returns the path. */
export function writeExactClassifier(file: string, size = 4): string {
  writeFileSync(file, encodeOpenBatch(classifierGraph(classMixture(size), 1)));
  return file;
}

/**
 * The exact ε of images of one grey, which is class-dependent: x `[batch,3,size,size]`, t, and y
 * with 3 for no class. Batch is open; the card lies beside it. Returns the path.
 */
export function writeClassConditional(file: string, { size = 4, none = true } = {}): string {
  writeFileSync(file, encodeOpenBatch(labelledMixtureGraph(classMixture(size), 1)));
  const names = ['dark', 'middle', 'bright'];
  const classes = { input: 'y', count: 3, names, ...(none && { null: 3 }) };
  writeFileSync(file.replace(/onnx$/, 'card.json'), JSON.stringify({ classes }));
  return file;
}
