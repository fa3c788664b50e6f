import { existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { readModel } from '../../src/onnx/read.ts';
import { encodeGraph, encodeModel } from '../../src/onnx/write.ts';
import { defaultModel } from '../../src/pipeline/model.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { runGraph } from '../helpers/run.ts';
import { expectDone, dsg } from './harness.ts';
import { writeShrinking } from './models.ts';

const folder = temporaryFolder();
const shrinking = writeShrinking(join(folder, 'shrinking.onnx'));
const sizes = ['batch=1', 'height=2', 'width=2'].flatMap((d) => ['--dim', d]);

/** A model with two outputs, and no image among its inputs. */
function writeTwoOutputs(): string {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2, 3]);
  const values = b.op('Sigmoid', [x]);
  b.output(values, 'probabilities');
  const weights = initializerFrom('float32', [3, 4], new Float32Array(12).fill(0.5));
  b.output(b.matMul(values, b.initializer('weights', weights)), 'scores');
  const file = join(folder, 'two-outputs.onnx');
  writeFileSync(file, encodeGraph(b.graph));
  return file;
}

describe('differentiate', () => {
  it('writes a model of which the gradient is right', async () => {
    const out = join(folder, 'deep/gradient.onnx');
    const done = await dsg(['differentiate', shrinking, ...sizes, '-o', out]);
    expectDone(done);
    expect(done.stdout).toBe(`${out}\n`);
    expect(done.stderr).toContain(
      'x float32 [1,3,2,2], t float32 [1], eps.cotangent float32 [1,3,2,2]',
    );
    expect(done.stderr).toContain('gives eps float32 [1,3,2,2], x.gradient float32 [1,3,2,2]');
    const shape = [1, 3, 2, 2];
    const cotangent = Float32Array.from({ length: 12 }, (_, i) => i);
    const { 'x.gradient': gradient } = await runGraph(await resolveGraph(await readModel(out)), {
      x: { shape, data: new Float32Array(12).fill(3) },
      t: { shape: [1], data: Float32Array.of(500) },
      'eps.cotangent': { shape, data: cotangent },
    });
    // eps = x t / 1000
    expect(gradient?.shape).toEqual(shape);
    gradient?.data.forEach((v, i) => expect(v).toBeCloseTo(i / 2, 5));
  });

  it('takes names of outputs and inputs, and -q', async () => {
    const out = join(folder, 'scores.onnx');
    const args = [writeTwoOutputs(), '--output', 'scores', '--wrt', 'x', '-o', out, '-q'];
    expect(await dsg(['differentiate', ...args])).toEqual({
      code: 0,
      stdout: `${out}\n`,
      stderr: '',
    });
  });

  it.each<[what: string, args: string[], message: RegExp]>([
    [
      'open dimensions',
      [shrinking],
      /shrinking\.onnx: dimensions without a size: batch.*\nhint: .*--dim batch=1/,
    ],
    [
      'an unknown dimension',
      [shrinking, '--dim', 'n=1'],
      /no open dimension 'n'\nhint: there are: batch, height, width/,
    ],
    [
      'a size that is none',
      [shrinking, '--dim', 'batch=0'],
      /argument 'batch=0' is invalid\. Expected NAME=SIZE/,
    ],
    [
      'an unknown output',
      [shrinking, ...sizes, '--output', 'y'],
      /shrinking\.onnx: .*no output 'y'/,
    ],
    ['an unknown input', [shrinking, ...sizes, '--wrt', 'z'], /shrinking\.onnx: .*no input 'z'/],
    [
      'several outputs',
      [writeTwoOutputs()],
      /two-outputs\.onnx: .*2 outputs: probabilities, scores\nhint: .*--output NAME/,
    ],
    ['a missing model', ['missing.onnx'], /missing\.onnx: cannot be read/],
  ])('refuses %s', async (_, args, message) => {
    const out = join(folder, 'never.onnx');
    const done = await dsg(['differentiate', ...args, '-o', out]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(message);
    expect(existsSync(out)).toBe(false);
  });

  it('does not write over the model', async () => {
    const done = await dsg(['differentiate', shrinking, ...sizes, '-o', shrinking]);
    expect(done.stderr).toContain('the result would replace the model');
  });

  it('does not write over the model through a link to its folder', async () => {
    symlinkSync(folder, join(folder, 'here'), 'dir');
    const linked = join(folder, 'here', basename(shrinking));
    const done = await dsg(['differentiate', shrinking, ...sizes, '-o', linked]);
    expect(done.stderr).toContain('the result would replace the model');
  });
});

describe('inspect', () => {
  it('tells what a model is, in words', async () => {
    const done = await dsg(['inspect', shrinking]);
    expect(done.stderr).toBe('');
    const text = done.stdout.replace(folder, '').replace(/time \d.*/, 'time …');
    expect(text).toMatchInlineSnapshot(`
      "/shrinking.onnx
        opset 17, IR 8, from dsg
        1 parameters, 36 B
      inputs
        x  float32  [batch,3,height,width]
        t  float32  [batch]
      outputs
        eps  float32  [batch,3,height,width]
      operators (5 nodes)
        Mul 2, Reshape 2, Identity 1
      as an ε-model
        no name
        predicts epsilon, of images in [-1,1], clipped
        linear schedule of 1000 steps; timesteps times 1
        x 'x', timestep 't', output 'eps'; sides of multiples of 1
        inferred learnedVariance: false (output is [batch,3,height,width])
        inferred prediction: epsilon (the usual one)
        inferred range: [-1,1] (the usual one)
        inferred schedule: {"name":"linear","timesteps":1000} (the usual one for pixel models)
        inferred multiple: 1 (it keeps the size)
      gradient
        of eps with respect to x, at batch=1 height=64 width=64 (batch, height, width assumed; set with --dim)
        yes: every node on the path has a rule (1)
        nodes of the longest chain: 1
        Mul 1
      a guided step, estimated
        0 FLOP, of which the network alone 0 FLOP
        memory 110.4 MB: 360.5 kB for values, 240 B for weights, the rest for the program
        time …
      "
    `);
  });

  it('takes a model that does not declare the shape of its output', async () => {
    const { proto } = await readModel(shrinking);
    const [output] = proto.graph?.output ?? [];
    if (output?.type?.value.case === 'tensorType') delete output.type.value.value.shape;
    const file = join(folder, 'undeclared.onnx');
    writeFileSync(file, encodeModel(proto));
    const { code, stdout } = await dsg(['inspect', file]);
    expect(code).toBe(0);
    expect(stdout).toContain('outputs\n  eps  float32  of any shape\n');
    expect(stdout).toContain('yes: every node on the path has a rule');
  });

  it('tells it as JSON, with the sizes that are given', async () => {
    const { stdout } = await dsg(['inspect', shrinking, '--json', '--dim', 'height=8']);
    expect(JSON.parse(stdout)).toMatchObject({
      opset: 17,
      operators: { Mul: 2, Reshape: 2 },
      epsilonModel: { usable: true, inferred: expect.any(Array) },
      gradient: {
        dims: { batch: 1, height: 8, width: 64 },
        assumed: ['batch', 'width'],
        possible: true,
        obstacles: [],
      },
    });
  });

  it('knows the default model', async () => {
    const { stdout } = await dsg(['inspect', defaultModel, '--json']);
    const found = JSON.parse(stdout) as { parameters: { count: number } };
    expect(found).toMatchObject({
      epsilonModel: { usable: true, inferred: [] },
      gradient: { possible: true },
    });
    expect(found.parameters.count).toBeGreaterThan(1e6);
  });

  it('names the nodes that stand in the way of a gradient', async () => {
    const b = new GraphBuilder();
    b.output(b.op('Relu', [b.input('x', 'float32', [1, 3])]), 'y');
    for (const node of b.graph.nodes) if (node.opType === 'Relu') node.opType = 'Hardmax';
    const file = join(folder, 'stuck.onnx');
    writeFileSync(file, encodeGraph(b.graph));
    const { code, stdout } = await dsg(['inspect', file]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /gradient\n.*\n {2}no: 1 of \d nodes on the path stand in the way\n {4}Hardmax {2}opset 17 {2}node \/Relu {2}\[1,3\] -> \[1,3\]/,
    );
  });

  it('says what keeps a model from predicting noise', async () => {
    const { code, stdout } = await dsg(['inspect', writeTwoOutputs()]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/as an ε-model\n {2}no: .*no image input/);
  });

  it('is in colour on a terminal', async () => {
    const { stdout } = await dsg(['inspect', shrinking], { terminal: true });
    expect(stdout).toContain('\u001B[1m');
  });
});
