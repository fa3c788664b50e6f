/** Devices that compute something else than the CPU are found out, and the layer is named. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../src/autodiff/differentiate.ts';
import { defaultForms, gpuForms } from '../../src/autodiff/gradients.ts';
import type { Forms } from '../../src/autodiff/rule.ts';
import { openCache } from '../../src/cache/cache.ts';
import { guidedGraph } from '../../src/guided/guided.ts';
import { measurementLoss } from '../../src/guided/measured.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import {
  bytesOf,
  float32Values,
  initializerFrom,
  type Initializer,
} from '../../src/onnx/initializer.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { writeGraph } from '../../src/onnx/write.ts';
import { gaussianBlur } from '../../src/operators/blur.ts';
import { openDenoiser } from '../../src/pipeline/denoiser.ts';
import { parametersOf } from '../../src/pipeline/feeds.ts';
import { exampleLevel } from '../../src/pipeline/forms.ts';
import { graphFor, loadModel } from '../../src/pipeline/model.ts';
import { trust, type Trial } from '../../src/pipeline/trust.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { linearSteps, randn } from '../helpers/diffusion.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { probeNetwork, type Sizes } from '../../src/pipeline/probe.ts';
import { useSoftwareVulkan } from '../helpers/software-vulkan.ts';

const root = temporaryFolder();
const size = 8;
let count = 0;

async function modelOf(sizes: Sizes) {
  const file = join(root, `${++count}.onnx`);
  await writeGraph(probeNetwork({ size, width: 8, ...sizes }), file);
  return loadModel(file);
}

async function guided(sizes: Sizes, forms: Forms): Promise<Omit<Trial, 'written' | 'session'>> {
  const model = await modelOf(sizes);
  const { channels, card } = model;
  const losses = [
    measurementLoss(gaussianBlur({ size: 3, std: 1 }), zeros([channels, size, size])),
  ];
  const placement = { image: [channels, size, size] as const, top: 0, left: 0 };
  const network = await graphFor(model, 1, { height: size, width: size });
  const graph = guidedGraph(network, card, { losses, placement }, { forms });
  return { graph, feeds: { ...exampleLevel, ...parametersOf([losses]) }, where: 'model.onnx' };
}

/** A graph in which a weight is another: what a device with a wrong kernel does to a layer. */
function altered(graph: Graph, name: string): Graph {
  const weight = graph.initializers.get(name) as Initializer;
  const values = float32Values(weight).map((v) => 1.5 * v);
  const initializers = new Map(graph.initializers);
  initializers.set(name, { ...weight, bytes: () => bytesOf(values) });
  return { ...graph, initializers };
}

const cpu = { device: 'cpu', threads: 1 } as const;

describe('a comparison', () => {
  test('finds no fault where there is none', async () => {
    const trial = await guided({}, defaultForms);
    const verdict = await trust({ ...trial, written: trial.graph, session: cpu });
    expect(Object.keys(verdict).sort()).toEqual(['dsg.eps', 'dsg.gradient', 'dsg.loss', 'dsg.x0']);
    for (const error of Object.values(verdict)) expect(error).toBeLessThan(1e-6);
  });

  test('names the layer of the forward pass that is wrong', async () => {
    const trial = await guided({}, defaultForms);
    const wrong = trust({ ...trial, written: altered(trial.graph, 'w3'), session: cpu });
    await expect(wrong).rejects.toThrow(
      /model\.onnx: device cpu computes something else than the CPU: .*dsg\.gradient by [\d.]+ %.*\n {2}the first layer that does, in the forward pass: Conv \/middle\/Conv\S* -> \[1,8,8,8\], by 50 %/,
    );
  });

  test('names the layer of the backward pass that is wrong', async () => {
    const trial = await guided({}, defaultForms);
    const wrong = trust({ ...trial, written: altered(trial.graph, 'w4/flipped'), session: cpu });
    await expect(wrong).rejects.toThrow(
      /than the CPU: dsg\.gradient by [\d.]+ %\n {2}the first layer that does, in the backward pass: Conv \/last\/Conv\S*\/vjp\/Conv\S* -> \[1,8,8,8\], by 50 %/,
    );
  });
});

describe.skipIf(!useSoftwareVulkan())('WebGPU in software', { timeout: 300_000 }, () => {
  const session = { device: 'webgpu' } as const;

  test('agrees on a guided step as it is written for GPUs', async () => {
    const trial = await guided({}, gpuForms);
    const verdict = await trust({ ...trial, written: trial.graph, session });
    for (const error of Object.values(verdict)) expect(error).toBeLessThan(1e-3);
  });

  test('takes the gradient of a convolution as a transposed one, not as a flipped one', async () => {
    // Flipped, it has 6 channels in and 8 out: see below.
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [1, 8, size, size]);
    const w = b.initializer(
      'w',
      initializerFrom('float32', [6, 8, 3, 3], randn(0, 0, [6, 8, 3, 3]).data),
    );
    b.scope = '/layer';
    b.output(b.op('Conv', [x, w], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }), 'y');
    const tried = (forms: Forms): Promise<object> => {
      const graph = differentiate(b.graph, { forms });
      return trust({ graph, written: graph, session, feeds: {}, where: 'layer.onnx' });
    };
    await expect(tried(defaultForms)).rejects.toThrow(
      /: x\.gradient by \d+ %\n.*in the backward pass: Conv \/layer\/Conv\S*\/vjp\/Conv\S* -> \[1,8,8,8\]/,
    );
    expect(await tried(gpuForms)).toEqual({
      y: expect.closeTo(0, 4),
      'x.gradient': expect.closeTo(0, 4),
    });
  });

  test('is caught with the convolution that it computes wrongly, by name', async () => {
    // From 6 channels to 8 or more, 3×3 convolutions come out wrong by its whole size.
    const trial = await guided({ channels: 6 }, gpuForms);
    const wrong = trust({ ...trial, written: trial.graph, session });
    await expect(wrong).rejects.toThrow(
      /device webgpu computes something else than the CPU: .*\n {2}the first layer that does, in the forward pass: Conv \/first\/Conv\S* -> \[1,8,8,8\], by \d+ %/,
    );
  });

  test('is compared once, and the verdict kept', async () => {
    const model = await modelOf({});
    const notes: string[] = [];
    const folder = join(root, 'cache');
    const cache = openCache({ folder, limit: 1e9 });
    const loss = measurementLoss(gaussianBlur({ size: 3, std: 1 }), zeros([3, size, size]));
    for (const _ of ['first', 'second']) {
      const denoiser = openDenoiser({
        model,
        like: { losses: [loss] },
        batch: 1,
        canvas: { height: size, width: size },
        placement: { image: [3, size, size], top: 0, left: 0 },
        session,
        cache,
        note: (line) => notes.push(line),
      });
      const step = linearSteps(10)[5]!;
      await denoiser.bind([{ losses: [loss] }])(zeros([1, 3, size, size]), step, {
        gradient: true,
      });
      await denoiser.release();
    }
    expect(notes).toEqual([
      expect.stringMatching(/comparing device webgpu with the CPU before its first use \(guided\)/),
      expect.stringMatching(/device webgpu agrees with the CPU to \de-\d/),
    ]);
    const [entry] = await cache.list();
    expect(entry?.about).toMatchObject({
      device: 'webgpu',
      verdict: { 'dsg.gradient': expect.any(Number) },
    });
  });
});
