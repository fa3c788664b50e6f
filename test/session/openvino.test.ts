/** OpenVINO gives what ONNX Runtime gives; runs where its library is found (DSG_OPENVINO). */
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { measurementLoss } from '../../src/guided/measured.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { DType } from '../../src/onnx/dtype.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { gaussianBlur } from '../../src/operators/blur.ts';
import { openDenoiser } from '../../src/pipeline/denoiser.ts';
import { defaultModel, loadModel } from '../../src/pipeline/model.ts';
import { betas } from '../../src/schedules/betas.ts';
import { respace, steps as stepsOf } from '../../src/schedules/respace.ts';
import { findOpenVino } from '../../src/session/openvino-library.ts';
import { openGraph, type SessionOptions } from '../../src/session/session.ts';
import { openThread } from '../../src/session/thread.ts';
import { imageAt } from '../../src/tensor/batch.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

describe.skipIf(findOpenVino() === undefined)('OpenVINO', () => {
  const here: SessionOptions = { device: 'openvino', threads: 1 };
  const thread = openThread();
  afterAll(() => thread.close());

  async function run(graph: Graph, feeds: Parameters<typeof runGraph>[1], options = here) {
    const session = await openGraph(graph, options);
    try {
      await session.run(feeds);
      return await session.run(feeds);
    } finally {
      await session.release();
    }
  }

  const fed: DType[] = ['float32', 'float16', 'float64', 'int64', 'int32', 'bool'];
  it.each(fed)('takes and gives %s', async (dtype) => {
    const b = new GraphBuilder();
    const x = b.input('x', dtype, [2, 3]);
    b.output(b.op('Transpose', [x], { perm: [1, 0] }), 'y');
    if (dtype !== 'float32') b.output(b.cast(x, 'float32'), 'z');
    const feeds = { x: tensor([2, 3], Float32Array.of(0, 1, 1, 0, 0, 1)) };
    const expected = await runGraph(b.graph, feeds);
    expect(await run(b.graph, feeds)).toEqual(expected);
    expect(await run(b.graph, feeds, { ...here, thread })).toEqual(expected);
  });

  it('takes inputs that nothing reads', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [3]);
    b.input('idle', 'float32', []);
    b.output(b.neg(x), 'y');
    const feeds = {
      x: tensor([3], Float32Array.of(1, 2, 3)),
      idle: tensor([], Float32Array.of(4)),
    };
    expect(await run(b.graph, feeds)).toEqual(await runGraph(b.graph, feeds));
  });

  it.runIf(process.platform === 'linux')(
    'binds no thread to a processor while it runs',
    async () => {
      const found = new Set<string | undefined>();
      const look = (): void => {
        for (const id of readdirSync('/proc/self/task')) {
          const status = readFileSync(`/proc/self/task/${id}/status`, 'utf8');
          found.add(/Cpus_allowed:\s*(\S+)/.exec(status)?.[1]);
        }
      };
      look();
      const before = found.size;
      const b = new GraphBuilder();
      const kernel = b.constant(
        randomTensor('kernel', [64, 64, 3, 3]).data,
        'float32',
        [64, 64, 3, 3],
      );
      let y = b.input('x', 'float32', [1, 64, 64, 64]);
      for (let i = 0; i < 8; i++) y = b.op('Conv', [y, kernel], { pads: [1, 1, 1, 1] });
      b.output(y, 'y');
      const session = await openGraph(b.graph, { ...here, thread });
      const running = [true];
      const run = session
        .run({ x: randomTensor('x', [1, 64, 64, 64]) })
        .finally(() => running.pop());
      while (running.length > 0) {
        look();
        await setImmediate();
      }
      await run;
      await session.release();
      expect(found.size).toBe(before);
    },
  );

  it('keeps a constant apart from itself transposed', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [4, 8]);
    const w = b.constant(randomTensor('w', [8, 8]).data, 'float32', [8, 8]);
    b.output(b.op('MatMul', [x, w]), 'straight');
    b.output(b.op('Gemm', [x, w], { transB: 1 }), 'transposed');
    const picture = b.input('picture', 'float32', [1, 4, 6, 6]);
    const kernel = b.constant(randomTensor('kernel', [4, 4, 3, 3]).data, 'float32', [4, 4, 3, 3]);
    b.output(b.op('Conv', [picture, kernel], { pads: [1, 1, 1, 1] }), 'convolved');
    b.output(b.op('ConvTranspose', [picture, kernel], { pads: [1, 1, 1, 1] }), 'adjoint');
    const feeds = { x: randomTensor('x', [4, 8]), picture: randomTensor('p', [1, 4, 6, 6]) };
    const expected = await runGraph(b.graph, feeds);
    const found = await run(b.graph, feeds);
    for (const [name, value] of Object.entries(expected))
      expect([name, relativeError(found[name]!, value) < 1e-5]).toEqual([name, true]);
  });

  const steps = stepsOf(respace(betas({ name: 'linear' }), 10));
  async function guidedStep(session: SessionOptions) {
    const model = await loadModel(defaultModel);
    const shape = [1, 3, 32, 32];
    const subject = {
      losses: [
        measurementLoss(gaussianBlur({ size: 9, std: 1 }), imageAt(randomTensor('y', shape), 0)),
      ],
    };
    const denoiser = openDenoiser({
      model,
      like: subject,
      batch: 1,
      canvas: { height: 32, width: 32 },
      placement: { image: [3, 32, 32], top: 0, left: 0 },
      session,
    });
    try {
      const denoise = denoiser.bind([subject]);
      return await denoise(randomTensor('x', shape), steps[4]!, { gradient: true });
    } finally {
      await denoiser.release();
    }
  }

  it.each([
    ['here', here],
    ['on a thread', { ...here, thread }],
  ])('takes a guided step of the default prior %s', async (_, options) => {
    const expected = await guidedStep({ threads: 1 });
    const found = await guidedStep(options);
    expect(relativeError(found.eps, expected.eps)).toBeLessThan(1e-4);
    expect(relativeError(found.x0, expected.x0)).toBeLessThan(1e-4);
    expect(relativeError(found.gradient!, expected.gradient!)).toBeLessThan(1e-4);
    expect(found.loss![0]).toBeCloseTo(expected.loss![0]!, 3);
  });

  it('is near that in bfloat16, or says that the processor has none', async () => {
    const expected = await guidedStep({ threads: 1 });
    const found = await guidedStep({ ...here, precision: 'bf16' }).catch((e: Error) => e.message);
    const error = typeof found === 'string' ? found : relativeError(found.eps, expected.eps);
    const near = typeof error === 'number' && error > 1e-5 && error < 0.05;
    expect(near ? 'near' : error).toMatch(/^near$|asked for INFERENCE_PRECISION_HINT bf16/);
  });

  it('passes on why it refuses a model', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [2, 3]);
    b.output(b.op('Transpose', [x], { perm: [1, 0] }), 'y');
    (b.graph.nodes[0] as { opType: string }).opType = 'NoSuchOperator';
    await expect(openGraph(b.graph, here)).rejects.toThrow(/^dsg: OpenVINO: .*NoSuchOperator/s);
  });
});
