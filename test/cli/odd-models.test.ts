/** Models that are damaged, too large, or something else than they seem. */
import {
  closeSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as Kind,
  GraphProtoSchema,
  NodeProtoSchema,
} from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { initializerFrom } from '../../src/onnx/initializer.ts';
import { parseModel, readModel } from '../../src/onnx/read.ts';
import { encodeGraph, encodeModel, writeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { runGraph } from '../helpers/run.ts';
import { dsg, expectDone, restore, writePicture } from './harness.ts';
import { writeModel, writeShrinking } from './models.ts';

interface Measured {
  readonly result: { readonly psnr: number };
}

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const sizes = ['batch=1', 'height=8', 'width=8'].flatMap((d) => ['--dim', d]);

/** y = x + (if c then x x else x), whose branches read x from outside. */
function writeBranching(): string {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2]);
  const c = b.input('c', 'bool', []);
  b.output(b.add(x, x), 'y');
  const { proto } = parseModel(encodeGraph(b.graph), { folder, where: 'branching' });
  const y = proto.graph?.output[0];
  const branch = (name: string, opType: string, input: string[]) =>
    create(AttributeProtoSchema, {
      name,
      type: Kind.GRAPH,
      g: create(GraphProtoSchema, {
        name,
        node: [{ opType, name: `${name}/${opType}`, input, output: [`${name}.out`] }],
        output: [{ ...y, name: `${name}.out` }] as never,
      }),
    });
  const attribute = [
    branch('then_branch', 'Mul', [x.name, x.name]),
    branch('else_branch', 'Identity', [x.name]),
  ];
  const choice = { opType: 'If', name: '/head/If', input: [c.name], output: ['chosen'], attribute };
  proto.graph?.node.unshift(create(NodeProtoSchema, choice));
  const add = proto.graph?.node.find((n) => n.opType === 'Add');
  if (add) add.input = [x.name, 'chosen'];
  writeFileSync(at('branching.onnx'), encodeModel(proto));
  return at('branching.onnx');
}

describe('differentiate', () => {
  it('names the node of control flow, though the path enters it from outside', async () => {
    const done = await dsg(['differentiate', writeBranching(), '-o', at('never.onnx')]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/If +opset 17 +node \/head\/If .*control flow/);
  });

  it('stops the gradient at a value', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [2]);
    const square = b.mul(x, x);
    b.output(b.mul(square, x), 'y');
    writeFileSync(at('cube.onnx'), encodeGraph(b.graph));
    const args = ['differentiate', at('cube.onnx'), '-o', at('stopped.onnx'), '-q'];
    expect((await dsg([...args, '--stop', square.name])).code).toBe(0);
    const graph = await resolveGraph(await readModel(at('stopped.onnx')));
    const feed = (...v: number[]) => ({ shape: [2], data: Float32Array.from(v) });
    const out = await runGraph(graph, { x: feed(2, -3), 'y.cotangent': feed(1, 1) });
    expect([...(out['x.gradient']?.data ?? [])]).toEqual([4, 9]);
    const wrong = await dsg([...args, '--stop', 'nothing']);
    expect(wrong.stderr).toMatch(/cube\.onnx: no value 'nothing' to stop the gradient at/);
  });
});

describe('a file', () => {
  it('of 3 GB is refused with advice', async () => {
    writeFileSync(at('huge.onnx'), '');
    truncateSync(at('huge.onnx'), 3e9);
    const done = await dsg(['inspect', at('huge.onnx')]);
    expect(done.stderr).toMatch(
      /huge\.onnx: 3000000000 bytes; a protobuf message holds less than 2 GB\nhint: .*external data/,
    );
  });

  it('whose weights lie beyond 2 GB of external data is read', async () => {
    const b = new GraphBuilder();
    const w = initializerFrom('float32', [2048], new Float32Array(2048).fill(3));
    b.output(b.mul(b.input('x', 'float32', [2048]), b.initializer('w', w)), 'y');
    await writeGraph(b.graph, at('far.onnx'), { externalFrom: 1 });
    const model = await readModel(at('far.onnx'));
    const far = 2 ** 31 + 4096;
    const entry = model.proto.graph?.initializer[0]?.externalData.find((e) => e.key === 'offset');
    if (entry) entry.value = String(far);
    const fd = openSync(at('far.onnx.data'), 'w');
    writeSync(fd, new Uint8Array(w.bytes()), 0, w.bytes().byteLength, far);
    closeSync(fd);
    const x = { shape: [2048], data: new Float32Array(2048).fill(2) };
    const { y } = await runGraph(await resolveGraph(model), { x });
    expect(y?.data.every((v) => v === 6)).toBe(true);
  });

  it('whose weights were left behind is refused with advice', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [1, 3, 16, 16]);
    b.input('t', 'float32', [1]);
    const w = initializerFrom('float32', [3, 1, 1], new Float32Array(3).fill(0.1));
    b.output(b.mul(x, b.initializer('w', w)), 'eps');
    await writeGraph(b.graph, at('bare.onnx'), { externalFrom: 1 });
    rmSync(at('bare.onnx.data'));
    const sampling = ['--steps', '2', '--device', 'cpu', '-o', at('bare')];
    for (const args of [
      ['generate', '--model', at('bare.onnx'), ...sampling],
      ['generate', '--loss', `features:${at('bare.onnx')}`, '--target', 'x.png', ...sampling],
    ])
      expect(await dsg(args)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /bare\.onnx: its weights are in .*bare\.onnx\.data, and .*\nhint: keep the \.data file beside/,
        ),
      });
  });

  it('that is truncated is refused', async () => {
    const whole = writeModel(at('whole.onnx'), (b, x, t) => b.mul(x, t));
    const { size } = statSync(whole);
    truncateSync(whole, size - 30);
    expect((await dsg(['inspect', whole])).stderr).toMatch(
      /whole\.onnx: not an ONNX model, or trunc/,
    );
  });
});

describe('inspect warns of', () => {
  const warnings = async (file: string): Promise<string> => {
    const { stdout } = await dsg(['inspect', file, ...sizes, '--json']);
    const { epsilonModel } = JSON.parse(stdout) as { epsilonModel: { warnings: string[] } };
    return epsilonModel.warnings.join('\n');
  };

  it.each<[string, string, string, RegExp]>([
    ['nothing, without reason', 'plain.onnx', 'plain', /^$/],
    ['NaN in weights', 'nan.onnx', 'nan', /NaN or infinite weights: weights/],
    ['v-prediction by name', 'v_prediction.onnx', 'plain', /v-prediction.*--card prediction=v/],
    ['a range of [0,1]', 'unit.onnx', 'unit', /from \[0,1\] to \[-1,1\].*--card range=\[0,1\]/],
    ['images instead of noise', 'sigmoid.onnx', 'sigmoid', /its output is a Sigmoid/],
  ])('%s', async (_, name, kind, expected) => {
    const file = writeModel(at(name), (b, x, t) => {
      const one = b.scalar(1, x);
      const seen = kind === 'unit' ? b.sub(b.scale(x, 2), one) : x;
      const w = initializerFrom(
        'float32',
        [1, 1, 1, 1],
        Float32Array.of(kind === 'nan' ? NaN : 0.5),
      );
      const y = b.mul(b.mul(seen, b.initializer('weights', w)), t);
      return kind === 'sigmoid' ? b.op('Sigmoid', [y]) : y;
    });
    const found = await warnings(file);
    expect(found).toMatch(expected);
  });

  it('a file that its card was not written for, and fields that cards do not have', async () => {
    const file = writeModel(at('changed.onnx'), (b, x, t) => b.mul(x, t));
    const card = { prediction: 'epsilon', sha256: '0'.repeat(64), colour: 1 };
    writeFileSync(at('changed.card.json'), JSON.stringify(card));
    const found = await warnings(file);
    expect(found).toMatch(/changed\.onnx: not the file its card was written for/);
    expect(found).toMatch(/changed\.card\.json: unknown field 'colour' is ignored/);
  });

  it('latents', async () => {
    const file = writeModel(at('latent.onnx'), (b, x, t) => b.mul(x, t), { channels: 4 });
    expect(await warnings(file)).toMatch(/4 channels are latents/);
  });
});

describe('a quantized network', () => {
  const shrinking = writeShrinking(at('shrinking.onnx'));
  const quantized = writeModel(at('quantized.onnx'), (b, x, t) => {
    const [bytes, scale, point] = b.ops('DynamicQuantizeLinear', [x], {}, 3);
    return b.mul(b.op('DequantizeLinear', [bytes, scale, point]), t);
  });

  it('is inspected as what it is', async () => {
    const { stdout } = await dsg(['inspect', quantized]);
    expect(stdout).toContain('yes: every node on the path has a rule (3)');
    expect(stdout).toContain('rounding to integers counts as the identity (1)');
  });

  it('restores nearly as the network in floats does', async () => {
    const photo = await writePicture(at('photo.png'), 16, 0);
    const psnr = async (model: string): Promise<number> => {
      const args = [photo, '--task', 'inpaint', '--simulate', '--steps', '5', '--json'];
      const done = await restore([...args, '--model', model, '-o', at(`out/${basename(model)}`)]);
      expectDone(done);
      const { results } = JSON.parse(done.stdout) as { results: [{ metrics: Measured }] };
      return results[0].metrics.result.psnr;
    };
    const [floats, integers] = [await psnr(shrinking), await psnr(quantized)];
    expect(integers).not.toBe(floats);
    expect(Math.abs(integers - floats)).toBeLessThan(0.2);
  });
});
