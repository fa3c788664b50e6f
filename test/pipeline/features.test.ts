/** LPIPS and FID through networks of random weights, against PyTorch. */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { sha256Of } from '../../src/files/sha256.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph, Value } from '../../src/onnx/graph.ts';
import { encodeGraph, writeGraph } from '../../src/onnx/write.ts';
import { fid } from '../../src/metrics/fid.ts';
import { openExtractor, openPerceptual } from '../../src/pipeline/features.ts';
import { writeNpy } from '../../src/tensor/npy.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { mapped, scatter } from '../metrics/scatter.ts';

const folder = temporaryFolder();
const image = (k: number): Tensor => scatter([3, 12, 10], k);
const open: { release(): Promise<void> }[] = [];
afterEach(async () => {
  for (const network of open.splice(0)) await network.release();
});

/** Two 3×3 convolutions with a ReLU each, the second of stride 2. */
function features(b: GraphBuilder, x: Value): [Value, Value] {
  const weight = (shape: number[], k: number) =>
    b.constant(scatter(shape, k).data, 'float32', shape);
  const conv = (v: Value, w: Value, bias: Value, stride: number) =>
    b.op('Relu', [
      b.op('Conv', [v, w, bias], {
        pads: [1, 1, 1, 1],
        strides: [stride, stride],
        kernel_shape: [3, 3],
      }),
    ]);
  const first = conv(x, weight([4, 3, 3, 3], 7), weight([4], 8), 1);
  return [first, conv(first, weight([5, 4, 3, 3], 9), weight([5], 10), 2)];
}

function save(name: string, graph: Graph, card?: object): string {
  const file = path.join(folder, `${name}.onnx`);
  writeFileSync(file, encodeGraph(graph));
  if (card) writeFileSync(path.join(folder, `${name}.features.json`), JSON.stringify(card));
  return file;
}

function featureNetwork(): Graph {
  const b = new GraphBuilder();
  const [first, second] = features(b, b.input('image', 'float32', [1, 3, 12, 10]));
  b.output(first, 'early');
  b.output(second, 'late');
  return b.graph;
}

const scalingLayer = { mean: [-0.03, -0.088, -0.188], std: [0.458, 0.448, 0.45] };
const layers = [
  { output: 'early', weights: 'lin0.npy' },
  { output: 'late', weights: 'lin1.npy' },
];

test('LPIPS of a feature network with linear layers', async () => {
  // torch 2.13.0: ScalingLayer, both convolutions, normalize_tensor, NetLinLayer, spatial_average.
  const file = save('vgg', featureNetwork(), { ...scalingLayer, layers });
  await writeNpy(path.join(folder, 'lin0.npy'), mapped(scatter([1, 4, 1, 1], 13), Math.abs));
  await writeNpy(path.join(folder, 'lin1.npy'), mapped(scatter([5], 14), Math.abs));
  const metric = await openPerceptual(file);
  open.push(metric);
  expect(await metric.distance(image(11), image(12))).toBeCloseTo(0.6082295179367065, 5);
  expect(await metric.distance(image(12), image(12))).toBe(0);
  expect(metric.definition).toContain('early, late of vgg.onnx, images in [-1,1], less -0.03/');
});

test('goes on with images that fit after one that does not', async () => {
  const extractor = await openExtractor(save('fixed', featureNetwork()));
  open.push(extractor);
  const before = await extractor.vector(image(11));
  await expect(extractor.vector(scatter([3, 8, 8], 1))).rejects.toThrow(/takes \[1,3,12,10\]/);
  expect(await extractor.vector(image(11))).toEqual(before);
});

test('LPIPS of a graph with two inputs, for images of any size', async () => {
  const b = new GraphBuilder();
  const shape = [1, 3, 12, 10];
  const difference = b.sub(b.input('a', 'float32', shape), b.input('b', 'float32', shape));
  b.output(b.reduce('Mean', b.op('Abs', [difference]), [0, 1, 2, 3]), 'distance');
  const metric = await openPerceptual(save('pair', b.graph));
  open.push(metric);
  const flat = (v: number): Tensor => tensor([3, 12, 10], new Float32Array(360).fill(v));
  expect(await metric.distance(flat(0.5), flat(-0.25))).toBeCloseTo(0.75, 6);
  // Clipped as a file would be.
  expect(await metric.distance(flat(0), flat(-3))).toBeCloseTo(1, 6);
});

test.each([
  ['[0,1]', 0.75],
  ['[0,255]', 191.25],
])('features of images in %s', async (range, expected) => {
  const b = new GraphBuilder();
  const x = b.input('image', 'float32', [1, 3, 12, 10]);
  b.output(b.reduce('Mean', x, [2, 3], false), 'mean');
  const network = await openExtractor(save(`range${expected}`, b.graph, { range }));
  open.push(network);
  const { shape, data } = await network.vector(
    tensor([3, 12, 10], new Float32Array(360).fill(0.5)),
  );
  expect(shape).toEqual([3]);
  for (const v of data) expect(v).toBeCloseTo(expected, 3);
});

test('FID of feature maps takes their mean over positions', async () => {
  const network = await openExtractor(save('inception', featureNetwork(), { output: 'late' }));
  open.push(network);
  const vectors = async (from: number): Promise<Tensor[]> => {
    const found: Tensor[] = [];
    for (let k = from; k < from + 7; k++) found.push(await network.vector(image(k)));
    return found;
  };
  // torch 2.13.0 for the features, scipy 1.17.1 for the distance, as in metrics/fid.test.ts.
  expect(fid(await vectors(20), await vectors(30))).toBeCloseTo(0.40409133530377406, 5);
});

test('a feature network without layers', async () => {
  const opening = openPerceptual(save('lonely', featureNetwork()));
  await expect(opening).rejects.toThrow('no LPIPS network: it has 1 inputs and no layers');
  await expect(opening).rejects.toMatchObject({
    hint: expect.stringContaining('lonely.features.json'),
  });
});

test('files are known by what they hold: the network, its external data, the linear layers', async () => {
  const filesOf = async (): Promise<readonly string[]> => {
    const metric = await openPerceptual(file);
    open.push(metric);
    return metric.files;
  };
  const file = save('lpips', featureNetwork(), { layers });
  // Weights in a file of their own, the first of which is then another number.
  await writeGraph(featureNetwork(), file, { externalFrom: 64 });
  await writeNpy(path.join(folder, 'lin0.npy'), scatter([4], 13));
  await writeNpy(path.join(folder, 'lin1.npy'), scatter([5], 14));
  const before = await filesOf();
  expect(before).toEqual(
    ['lpips.onnx', 'lpips.onnx.data', 'lin0.npy', 'lin1.npy'].map((name) =>
      sha256Of(readFileSync(path.join(folder, name))),
    ),
  );
  await writeNpy(path.join(folder, 'lin1.npy'), scatter([5], 15));
  const data = readFileSync(`${file}.data`);
  data.writeFloatLE(7, 0);
  writeFileSync(`${file}.data`, data);
  const after = await filesOf();
  expect(after.map((digest, i) => digest === before[i])).toEqual([true, false, true, false]);
});

test('a network whose weights are replaced while it is in use is refused at the next size', async () => {
  const file = path.join(folder, 'mixed.onnx');
  await writeGraph(featureNetwork(), file, { externalFrom: 64 });
  const extractor = await openExtractor(file);
  open.push(extractor);
  writeFileSync(`${file}.data`, readFileSync(`${file}.data`));
  await expect(extractor.vector(image(1))).rejects.toThrow(
    'mixed.onnx.data was replaced or changed after the model was read',
  );
});

test('FID by another output of a network is another metric', async () => {
  const definitions = ['early', 'late'].map(async (output) => {
    return (await openExtractor(save(output, featureNetwork(), { output }))).definition;
  });
  expect(await Promise.all(definitions)).toEqual([
    expect.stringContaining("the vectors 'early' of early.onnx"),
    expect.stringContaining("the vectors 'late' of late.onnx"),
  ]);
});

test('an unknown field of the card', async () => {
  const opening = openPerceptual(save('odd', featureNetwork(), { mode: 'lin' }));
  await expect(opening).rejects.toThrow('odd.features.json: card: Unrecognized key');
});

test('an output that is not there', async () => {
  const network = await openExtractor(save('named', featureNetwork(), { output: 'pool' }));
  open.push(network);
  await expect(network.vector(image(1))).rejects.toThrow(
    "no output 'pool'; there are: early, late",
  );
});

test('images of another size than the network takes', async () => {
  const network = await openExtractor(save('fixed', featureNetwork()));
  await expect(network.vector(scatter([3, 8, 8], 1))).rejects.toThrow(
    "input 'image' takes [1,3,12,10], the image is [1,3,8,8]",
  );
});
