import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { externalFiles } from '../../src/onnx/external.ts';
import { float32Values, initializerFrom, type Initializer } from '../../src/onnx/initializer.ts';
import { parseModel, readModel, type OnnxModel } from '../../src/onnx/read.ts';
import { encodeGraph, encodeModel, writeGraph } from '../../src/onnx/write.ts';
import { defaultModel } from '../../src/pipeline/model.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { sizeOf } from '../../src/tensor/tensor.ts';
import { epsilonNetwork } from '../../src/training/network.ts';
import { layoutOf, packed, parametersOf } from '../../src/training/parameters.ts';
import { withWeights } from '../../src/training/replaced.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { randomTensor } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

const shape = { channels: 3, size: 8, width: 8, levels: 2, blocks: 1 };

const folder = temporaryFolder();

const constantOf = (name: string, dims: readonly number[]): Initializer =>
  initializerFrom('float32', dims, randomTensor(name, dims).data);

const inMemory = (graph: GraphBuilder['graph']): OnnxModel =>
  parseModel(encodeGraph(graph), { folder: '.', where: 'test' });

describe('a new network', () => {
  const model = epsilonNetwork({ ...shape, classes: 3 }, 7);
  const weights = parametersOf(model);

  it('has weights as PyTorch draws them', () => {
    const strays = [...weights].filter(([name, weight]) => !asDrawn(name, float32Values(weight)));
    expect(strays.map(([name]) => name)).toEqual([]);
  });

  function asDrawn(name: string, values: Float32Array): boolean {
    const peak = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    if (/norm\d?\.weight$/.test(name)) return values.every((v) => v === 1);
    if (/norm\d?\.bias$|conv2|^out/.test(name)) return peak === 0;
    if (name === 'class.weight') return peak > 1.5;
    const matrix = weights.get(name.replace(/bias$/, 'weight'))?.shape ?? [];
    const bound = 1 / Math.sqrt(sizeOf(matrix.slice(1)));
    const mean = values.reduce((a, v) => a + v, 0) / values.length;
    const centred = Math.abs(mean) < (3 * bound) / Math.sqrt(values.length);
    return centred && peak <= bound && peak > 0.5 * bound;
  }

  it('has no other weights: neither the ones of its normalizations nor the frequencies of time', () => {
    const names = [...weights.keys()];
    expect(names.filter((name) => !/\.(weight|bias)$/.test(name))).toEqual([]);
    const inFile = model.proto.graph?.initializer.map((t) => t.name) ?? [];
    expect(inFile.filter((name) => /\.(weight|bias)$/.test(name)).sort()).toEqual(names.sort());
  });

  it('depends on seed, and on nothing else', () => {
    const of = (seed: number) => packed(parametersOf(epsilonNetwork(shape, seed)));
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
  });

  it('gives ε of the shape of x for any batch, zero before it is trained', async () => {
    const graph = await resolveGraph(model, { dims: { batch: 2 } });
    const feeds = {
      x: randomTensor('x', [2, 3, 8, 8]),
      t: { shape: [2], data: Float32Array.of(3, 900) },
      y: { shape: [2], data: Float32Array.of(0, 3) },
    };
    const { eps } = await runGraph(graph, feeds);
    expect(eps?.shape).toEqual([2, 3, 8, 8]);
    expect(eps?.data.every((v) => v === 0)).toBe(true);
  });

  it.each([
    [{ width: 12 }, 'width 12: expected a multiple of 8'],
    [{ levels: 4 }, '4 levels: a side of 8 is not a multiple of 16'],
    [{ size: 10, levels: 3 }, '3 levels: a side of 10 is not a multiple of 8'],
  ])('is refused with %o', (changes, message) => {
    expect(() => epsilonNetwork({ ...shape, ...changes }, 0)).toThrow(message);
  });
});

describe('the weights of any model', () => {
  /** A token mixer: what its operators do with constants is what exporters write. */
  const build = () => {
    const b = new GraphBuilder();
    const constant = (name: string, dims: number[], fill?: number) => {
      const { data } = randomTensor(name, dims);
      if (fill !== undefined) data.fill(fill);
      return b.initializer(name, initializerFrom('float32', dims, data));
    };
    const x = b.input('x', 'float32', [1, 3, 4, 4]);
    const t = b.input('t', 'float32', [1]);
    const waves = b.op('Sin', [b.mul(t, constant('frequencies', [4]))]);
    const time = b.matMul(b.reshape(waves, [1, 4]), constant('time', [4, 4]));
    const tokens = b.transpose(b.reshape(x, [1, 3, 16]), [0, 2, 1]);
    const turned = b.transpose(constant('in.stored', [4, 3]), [1, 0]);
    let h = b.add(b.matMul(tokens, turned), constant('position', [16, 4]));
    h = b.op('Concat', [constant('token', [1, 1, 4]), h], { axis: 1 });
    h = b.scale(b.add(h, time), 0.5);
    h = b.op('LayerNormalization', [h, constant('scale', [4], 1), constant('shift', [4], 0)]);
    const plain = [constant('ones', [17], 1), constant('zeros', [17], 0)];
    h = b.op('InstanceNormalization', [h, ...plain]);
    const out = b.matMul(h, constant('out', [4, 3]));
    const rest = b.op('Slice', [out, b.ints([1]), b.ints([17]), b.ints([1])]);
    b.output(b.reshape(b.transpose(rest, [0, 2, 1]), [1, 3, 4, 4]), 'eps');
    return inMemory(b.graph);
  };

  it('are what its layers multiply and add', () => {
    const names = [...parametersOf(build()).keys()].sort();
    const expected = ['in.stored', 'out', 'position', 'scale', 'shift', 'time', 'token'];
    expect(names).toEqual(expected);
  });

  it('can be replaced, one by one, and nothing else changes', () => {
    const model = build();
    const weights = parametersOf(model);
    const layout = layoutOf(weights);
    const values = packed(weights).map((v) => v + 1);
    const changed = { ...model, proto: withWeights(model, layout, values) };
    expect(packed(parametersOf(changed))).toEqual(values);
    const back = withWeights(changed, layout, packed(weights));
    expect(encodeModel(back)).toEqual(encodeModel(model.proto));
  });

  it('may lie behind a cast from float16, which they then replace', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [1, 2, 4, 4]);
    const values = Array.from({ length: 36 }, (_, i) => i / 64 - 0.25);
    const stored = b.constant(values, 'float16', [2, 2, 3, 3]);
    const kernel = b.rename(b.cast(stored, 'float32'), 'kernel');
    b.output(b.op('Conv', [x, kernel], { pads: [1, 1, 1, 1] }), 'y');
    const model = inMemory(b.graph);
    const weights = parametersOf(model);
    expect([...weights.keys()]).toEqual(['kernel']);
    expect([...packed(weights)]).toEqual(values);

    const thrice = packed(weights).map((v) => 3 * v);
    const changed = { ...model, proto: withWeights(model, layoutOf(weights), thrice) };
    // What was stored as float16 is not read any more.
    expect(changed.proto.graph?.initializer.map((t) => t.name)).toEqual(['kernel']);
    const feeds = { x: randomTensor('x', [1, 2, 4, 4]) };
    const { y } = await runGraph(b.graph, feeds);
    const { y: scaled } = await runGraph(await resolveGraph(changed), feeds);
    scaled?.data.forEach((v, i) => expect(v).toBeCloseTo(3 * (y?.data[i] as number), 4));
  });

  it('are written with all that lies beside the model', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [1, 2, 4, 4]);
    const kernel = b.initializer('kernel', constantOf('kernel', [2, 2, 3, 3]));
    const h = b.op('Conv', [x, kernel], { pads: [1, 1, 1, 1] });
    // No weight, as it does not meet x in a layer.
    const table = b.initializer('table', constantOf('table', [32]));
    b.output(b.add(h, b.reshape(b.op('Sin', [table]), [1, 2, 4, 4])), 'y');
    const file = join(folder, 'model.onnx');
    await writeGraph(b.graph, file, { externalFrom: 64 });
    const model = await readModel(file);
    const weights = parametersOf(model);
    expect([...weights.keys()]).toEqual(['kernel']);
    const proto = withWeights(model, layoutOf(weights), packed(weights));
    const feeds = { x: randomTensor('x', [1, 2, 4, 4]) };
    const moved = parseModel(encodeModel(proto), { folder: '/nowhere', where: 'moved' });
    expect(externalFiles(moved)).toEqual([]);
    expect(await runGraph(await resolveGraph(moved), feeds)).toEqual(
      await runGraph(b.graph, feeds),
    );
  });

  it('are all that PyTorch counts in the default prior', async () => {
    const layout = layoutOf(parametersOf(await readModel(defaultModel)));
    // sum(p.numel() for p in Prior().parameters()) of models/default/network.py
    expect(layout.size).toBe(7_834_764);
  });

  it('are missed in a model without any', () => {
    const b = new GraphBuilder();
    b.output(b.scale(b.input('x', 'float32', [1, 3, 4, 4]), 2), 'y');
    expect(() => parametersOf(inMemory(b.graph))).toThrow('the model has no float32 weights');
  });
});
