/** What the driver of differentiation refuses, leaves out, and writes. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { copyOf, differentiate } from '../../src/autodiff/differentiate.ts';
import { gradients, type GradientOptions } from '../../src/autodiff/gradients.ts';
import { UserError } from '../../src/errors.ts';
import { makeAttributes, type Attributes } from '../../src/onnx/attributes.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { dtypes } from '../../src/onnx/dtype.ts';
import { emptyGraph, type Graph, type Value } from '../../src/onnx/graph.ts';
import { simplify } from '../../src/simplify/simplify.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { printGraph } from '../helpers/print.ts';
import { runGraph } from '../helpers/run.ts';

/** A node that the builder need not know; its output has the shape of its first input. */
function foreign(
  b: GraphBuilder,
  type: string,
  inputs: [Value, ...Value[]],
  name: string,
  { domain = '', ...attributes }: Attributes & { domain?: string } = {},
): Value {
  const y = { ...inputs[0], name: `${name}:0` };
  b.graph.values.set(y.name, y);
  b.graph.nodes.push(
    create(NodeProtoSchema, {
      opType: type,
      domain,
      name,
      input: inputs.map((v) => v.name),
      output: [y.name],
      attribute: makeAttributes(attributes),
    }),
  );
  return y;
}

/** y = f(x) of x `[2,3]`, named so. */
function graphOf(f: (b: GraphBuilder, x: Value) => Value): Graph {
  const b = new GraphBuilder(emptyGraph('model.onnx', 17));
  b.output(f(b, b.input('x', 'float32', [2, 3])), 'y');
  return b.graph;
}

const x = tensor([2, 3], Float32Array.of(0.5, -1.5, 2, 1.25, -0.75, 3));
const ones = tensor([2, 3], new Float32Array(6).fill(1));

async function gradientOf(graph: Graph, options: GradientOptions = {}): Promise<number[]> {
  const feeds = { x, 'y.cotangent': ones };
  const results = await runGraph(differentiate(graph, options), feeds);
  return [...(results['x.gradient'] as Tensor).data];
}

function errorOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof UserError) return `${error.message}\nhint: ${error.hint ?? 'none'}`;
    throw error;
  }
  return 'no error';
}

describe('refuses', () => {
  test('all operators without a rule at once', () => {
    const graph = graphOf((b, x) => {
      const image = b.reshape(x, [1, 1, 2, 3]);
      const warped = foreign(b, 'Hardmax', [image], '/warp/Hardmax');
      const fused = foreign(b, 'FusedConv', [warped], '/FusedConv', { domain: 'com.microsoft' });
      b.scope = '/pool';
      const kernel = { kernel_shape: [1, 1], storage_order: 1 };
      const [pooled, indices] = b.ops('MaxPool', [fused], kernel, 2);
      b.scope = '';
      const offPath = foreign(b, 'Unknown', [indices as Value], '/Unknown');
      b.output(offPath, 'positions');
      return b.reshape(foreign(b, 'Hardmax', [pooled as Value], ''), [2, 3]);
    });
    expect(errorOf(() => differentiate(graph, { output: 'y' }))).toMatchInlineSnapshot(`
      "model.onnx: cannot differentiate 3 operators
        Hardmax                  opset 17  node /warp/Hardmax  [1,1,2,3] -> [1,1,2,3]  (no gradient rule)
        com.microsoft.FusedConv  opset 17  node /FusedConv  [1,1,2,3] -> [1,1,2,3]  (no gradient rule)
        MaxPool                  opset 17  node /pool/MaxPool  [1,1,2,3] -> [1,1,2,3] [1,1,2,3]  (its indices are counted column by column)
        Hardmax                  opset 17  node :0  [1,1,2,3] -> [1,1,2,3]  (no gradient rule)
      hint: com.microsoft's operators are ONNX Runtime's own, which its optimizations leave; dsg knows those in docs/operators.md: take the model as it was exported"
    `);
  });

  test('a path through an output that the rule does not know', () => {
    const graph = graphOf((b, x) => {
      const [y, mean] = b.ops('LayerNormalization', [x, b.constant([1, 2, 3])], {}, 2);
      return b.add(y as Value, mean as Value);
    });
    expect(errorOf(() => differentiate(graph))).toMatchInlineSnapshot(`
      "model.onnx: cannot differentiate 1 operator
        LayerNormalization  opset 17  node /LayerNormalization  [2,3] [3] -> [2,3] [2,1]  (no gradient rule for its output 1)
      hint: \`dsg inspect MODEL\` shows the whole path; docs/operators.md lists what has a gradient"
    `);
  });

  test('parameters that are computed', () => {
    const graph = graphOf((b, x) => {
      const start = b.op('ArgMax', [b.reshape(x, [6])], { axis: 0 });
      return foreign(b, 'Slice', [x, start, b.ints([3])], '/crop/Slice');
    });
    expect(errorOf(() => differentiate(graph))).toMatchInlineSnapshot(`
      "model.onnx: cannot differentiate 1 operator
        Slice  opset 17  node /crop/Slice  [2,3] [1] [1] -> [2,3]  (its input 1 is not a constant)
      hint: \`dsg inspect MODEL\` shows the whole path; docs/operators.md lists what has a gradient"
    `);
  });

  test('an output that does not depend on the input', () => {
    const graph = graphOf((b, x) => b.op('Floor', [x]));
    expect(errorOf(() => differentiate(graph))).toMatchInlineSnapshot(`
      "model.onnx: 'y' does not depend on 'x' through any differentiable path
      hint: every path between them rounds, compares or chooses, or there is none"
    `);
  });

  test('names and types that cannot be', () => {
    const b = new GraphBuilder(emptyGraph('model.onnx', 17));
    const t = b.input('t', 'int64', []);
    const x = b.input('x', 'float32', [2]);
    b.output(b.mul(x, x), 'y');
    b.output(b.cast(t, 'float32'), 'z');
    const tries = [{}, { output: 'w' }, { output: 'y', wrt: 'w' }, { output: 'y', wrt: 't' }];
    const messages = tries.map((options) => errorOf(() => differentiate(b.graph, options)));
    expect(messages.join('\n')).toMatchInlineSnapshot(`
      "model.onnx: the model has 2 outputs: y, z
      hint: choose one with --output NAME
      model.onnx: no output 'w'; there are: y, z
      hint: none
      model.onnx: no input 'w'; there are: t (int64), x (float32)
      hint: none
      model.onnx: input 't' is int64; gradients exist for float inputs only
      hint: none"
    `);
  });
});

describe('leaves out', () => {
  test('what is stopped', async () => {
    const graph = graphOf((b, x) => {
      b.scope = '/target';
      const target = b.op('Exp', [x]);
      b.scope = '';
      return b.mul(x, target);
    });
    const whole = [...x.data].map((v) => Math.exp(v) * (1 + v));
    const stopped = [...x.data].map((v) => Math.exp(v));
    expect(await gradientOf(graph)).toEqual(whole.map((v) => expect.closeTo(v, 4)));
    expect(await gradientOf(graph, { stop: new Set(['/target/Exp:0']) })).toEqual(
      stopped.map((v) => expect.closeTo(v, 4)),
    );
  });

  // What the nodes between would be fused into has no such value any more.
  test('what is stopped within an activation', async () => {
    const graph = graphOf((b, x) => b.mul(x, b.op('Sigmoid', [x])));
    expect(await gradientOf(graph, { stop: new Set(['/Sigmoid:0']) })).toEqual(
      [...x.data].map((v) => expect.closeTo(1 / (1 + Math.exp(-v)), 5)),
    );
  });

  test.each(['/Mul:0', '/Add:0'])('what is stopped within an affine chain: %s', async (name) => {
    const b = new GraphBuilder(emptyGraph('model.onnx', 17));
    const x = b.input('x', 'float32', [4, 8]);
    const affine = (v: Value, scale: number): Value =>
      b.add(b.mul(v, b.constant([scale])), b.constant([1]));
    b.output(b.add(affine(affine(x, 3), 5), b.op('Sin', [x])), 'y');
    const data = Float32Array.from({ length: 32 }, (_, i) => i / 10 - 1);
    const feeds = {
      x: tensor([4, 8], data),
      'y.cotangent': tensor([4, 8], new Float32Array(32).fill(1)),
    };
    const slopes = async (options: GradientOptions): Promise<number[]> => [
      ...((await runGraph(differentiate(b.graph, options), feeds))['x.gradient'] as Tensor).data,
    ];
    expect(await slopes({})).toEqual([...data].map((v) => expect.closeTo(15 + Math.cos(v), 4)));
    expect(await slopes({ stop: new Set([name]) })).toEqual(
      [...data].map((v) => expect.closeTo(Math.cos(v), 5)),
    );
  });

  test('what passes through integers', async () => {
    const graph = graphOf((b, x) => b.mul(x, b.cast(b.cast(x, 'int64'), 'float32')));
    expect(await gradientOf(graph)).toEqual([...x.data].map((v) => Math.trunc(v) + 0));
  });

  test('the weights', () => {
    const graph = graphOf((b, x) =>
      b.matMul(x, b.constant([1, 2, 3, 4, 5, 6, 7, 8, 9], 'float32', [3, 3])),
    );
    const added = differentiate(graph).nodes.filter((node) => node.name.includes('/vjp'));
    expect(added).toHaveLength(1);
  });

  test('the graph it is given', () => {
    const graph = graphOf((b, x) => {
      const image = b.reshape(x, [1, 1, 2, 3]);
      return b.reshape(b.op('MaxPool', [image], { kernel_shape: [1, 1] }), [2, 3]);
    });
    const before = printGraph(graph);
    differentiate(graph);
    expect(printGraph(graph)).toBe(before);
  });
});

describe('gives', () => {
  test('the cotangent where input and output are one value', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [2]);
    const cotangent = b.input('g', 'float32', [2]);
    expect(gradients(b, new Map([['x', cotangent]]), ['x']).get('x')).toBe(cotangent);
    expect(b.output(x)).toBe(x);
  });

  test('the sum over several outputs, with respect to several values', async () => {
    const b = new GraphBuilder();
    const input = b.input('x', 'float32', [2, 3]);
    const inner = b.op('Exp', [input]);
    const cotangents = new Map([
      [b.op('Sin', [inner]).name, b.input('g', 'float32', [2, 3])],
      [b.mul(inner, input).name, b.input('h', 'float32', [2, 3])],
    ]);
    const found = gradients(b, cotangents, ['x', inner.name]);
    b.output(found.get('x') as Value, 'dx');
    b.output(found.get(inner.name) as Value, 'dinner');
    const twos = tensor([2, 3], new Float32Array(6).fill(2));
    const { dx, dinner } = await runGraph(b.graph, { x, g: ones, h: twos });
    const expected = [...x.data].map((v) => Math.cos(Math.exp(v)) + 2 * v);
    expect([...(dinner as Tensor).data]).toEqual(expected.map((v) => expect.closeTo(v, 4)));
    expect([...(dx as Tensor).data]).toEqual(
      expected.map((d, i) => expect.closeTo((d + 2) * Math.exp(x.data[i] as number), 3)),
    );
  });
});

describe('with respect to', () => {
  test('a value that a fused gradient would span', async () => {
    const b = new GraphBuilder();
    const input = b.input('x', 'float32', [2, 3]);
    const sigmoid = b.op('Sigmoid', [input]);
    const cotangents = new Map([[b.mul(input, sigmoid).name, b.input('g', 'float32', [2, 3])]]);
    const found = gradients(b, cotangents, ['x', sigmoid.name]);
    b.output(found.get('x') as Value, 'dx');
    b.output(found.get(sigmoid.name) as Value, 'ds');
    const { dx, ds } = await runGraph(b.graph, { x, g: ones });
    expect((ds as Tensor).data).toEqual(x.data);
    const slope = (v: number): number => {
      const s = 1 / (1 + Math.exp(-v));
      return s + v * s * (1 - s);
    };
    expect([...(dx as Tensor).data]).toEqual([...x.data].map((v) => expect.closeTo(slope(v), 5)));
  });

  test('a value that is stopped: nothing goes past it', async () => {
    const b = new GraphBuilder();
    const input = b.input('x', 'float32', [2, 3]);
    const sine = b.op('Sin', [input]);
    const cotangents = new Map([[b.mul(sine, input).name, b.input('g', 'float32', [2, 3])]]);
    const found = gradients(b, cotangents, ['x', sine.name], { stop: new Set([sine.name]) });
    b.output(found.get('x') as Value, 'dx');
    b.output(found.get(sine.name) as Value, 'ds');
    const { dx, ds } = await runGraph(b.graph, { x, g: ones });
    expect([...(dx as Tensor).data]).toEqual(
      [...x.data].map((v) => expect.closeTo(Math.sin(v), 5)),
    );
    expect((ds as Tensor).data).toEqual(x.data);
  });

  test('the input of a gradient, of values so large that they are computed again', async () => {
    const b = new GraphBuilder(emptyGraph('model.onnx', 17));
    const input = b.input('x', 'float32', [128, 128]);
    b.output(b.op('Sin', [b.op('Tanh', [input])]), 'y');
    const twice = differentiate(differentiate(b.graph), { output: 'x.gradient', wrt: 'x' });
    const at = tensor([128, 128], new Float32Array(128 * 128).fill(0.4));
    const one = tensor([128, 128], new Float32Array(128 * 128).fill(1));
    const feeds = { x: at, 'y.cotangent': one, 'x.gradient.cotangent': one };
    const { 'x.gradient_1': second } = await runGraph(twice, feeds);
    const [t, s] = [Math.tanh(0.4), 1 - Math.tanh(0.4) ** 2];
    // (cos(t) s)' = −sin(t) s² − 2 cos(t) t s.
    const expected = -Math.sin(t) * s * s - 2 * Math.cos(t) * t * s;
    expect((second as Tensor).data[77]).toBeCloseTo(expected, 5);
  });

  test('the input of a gradient: second derivatives', async () => {
    const once = differentiate(graphOf((b, x) => b.mul(b.mul(x, x), x)));
    const twice = differentiate(once, { output: 'x.gradient', wrt: 'x' });
    expect(twice.outputs.map((o) => o.name)).toEqual(['y', 'x.gradient', 'x.gradient_1']);
    const feeds = { x, 'y.cotangent': ones, 'x.gradient.cotangent': ones };
    const second = (await runGraph(twice, feeds))['x.gradient_1'] as Tensor;
    expect([...second.data]).toEqual([...x.data].map((v) => expect.closeTo(6 * v, 4)));
  });
});

describe('writes', () => {
  const graph = graphOf((b, x) => {
    b.scope = '/silu';
    const same = b.op('Cast', [x], { to: dtypes.float32.code });
    const active = b.mul(same, b.op('Sigmoid', [b.mul(x, b.constant(1))]));
    b.scope = '/head';
    const weights = b.constant([1, -2, 3], 'float32', [3, 1]);
    const y = b.add(b.matMul(active, weights), b.constant([0.5]));
    b.scope = '';
    return b.op('Concat', [y, active], { axis: 1 });
  });

  test('names that say which node each belongs to', () => {
    const sources = new Set(graph.nodes.map((node) => node.name));
    const added = differentiate(graph).nodes.filter((node) => !sources.has(node.name));
    const owner = added.map((node) => node.name.split('/vjp')[0]);
    expect(owner.slice(0, -1).every((name) => sources.has(name as string))).toBe(true);
    expect(owner.at(-1)).toBe('x.gradient');
  });

  test('a program that can be read', () => {
    const b = new GraphBuilder(copyOf(graph));
    const [y] = graph.outputs as [Value];
    const cotangent = b.input('g', 'float32', y.shape);
    const gradient = gradients(b, new Map([[y.name, cotangent]]), ['x']).get('x') as Value;
    b.output(gradient, 'dx');
    expect(printGraph(b.graph)).toMatchInlineSnapshot(`
      "in x float32[2,3], g float32[2,4]
      /silu/Cast:0 float32[2,3] = Cast(x) to=1
      /silu/Mul:0 float32[2,3] = Mul(x, 1)
      /silu/Sigmoid:0 float32[2,3] = Sigmoid(/silu/Mul:0)
      /silu/Mul_1:0 float32[2,3] = Mul(/silu/Cast:0, /silu/Sigmoid:0)
      /head/MatMul:0 float32[2,1] = MatMul(/silu/Mul_1:0, [1 -2 3])
      /head/Add:0 float32[2,1] = Add(/head/MatMul:0, [0.5])
      /Concat:0 float32[2,4] = Concat(/head/Add:0, /silu/Mul_1:0) axis=1
      y float32[2,4] = Identity(/Concat:0)
      /Concat/vjp/Split:0 float32[2,1], /Concat/vjp/Split:1 float32[2,3] = Split(g, [1 3]) axis=1
      /head/MatMul/vjp/Gemm:0 float32[2,3] = Gemm(/Concat/vjp/Split:0, [1 -2 3]) transB=1
      /head/MatMul/vjp/Add:0 float32[2,3] = Add(/Concat/vjp/Split:1, /head/MatMul/vjp/Gemm:0)
      /silu/Mul_1/vjp/Mul:0 float32[2,3] = Mul(/head/MatMul/vjp/Add:0, /silu/Sigmoid:0)
      /silu/Mul_1/vjp/Mul_1:0 float32[2,3] = Mul(/head/MatMul/vjp/Add:0, /silu/Cast:0)
      /silu/Sigmoid/vjp/Sub:0 float32[2,3] = Sub(1, /silu/Sigmoid:0)
      /silu/Sigmoid/vjp/Mul:0 float32[2,3] = Mul(/silu/Sigmoid:0, /silu/Sigmoid/vjp/Sub:0)
      /silu/Sigmoid/vjp/Mul_1:0 float32[2,3] = Mul(/silu/Mul_1/vjp/Mul_1:0, /silu/Sigmoid/vjp/Mul:0)
      /silu/Mul/vjp/Mul:0 float32[2,3] = Mul(/silu/Sigmoid/vjp/Mul_1:0, 1)
      /silu/Cast/vjp/Add:0 float32[2,3] = Add(/silu/Mul/vjp/Mul:0, /silu/Mul_1/vjp/Mul:0)
      dx float32[2,3] = Identity(/silu/Cast/vjp/Add:0)
      out y, dx"
    `);
    expect(printGraph(simplify(b.graph))).toMatchInlineSnapshot(`
      "in x float32[2,3], g float32[2,4]
      /silu/Sigmoid:0 float32[2,3] = Sigmoid(x)
      /silu/Mul_1:0 float32[2,3] = Mul(x, /silu/Sigmoid:0)
      /head/MatMul:0 float32[2,1] = MatMul(/silu/Mul_1:0, [1 -2 3])
      /head/Add:0 float32[2,1] = Add(/head/MatMul:0, [0.5])
      /Concat:0 float32[2,4] = Concat(/head/Add:0, /silu/Mul_1:0) axis=1
      y float32[2,4] = Identity(/Concat:0)
      /Concat/vjp/Split:0 float32[2,1], /Concat/vjp/Split:1 float32[2,3] = Split(g, [1 3]) axis=1
      /head/MatMul/vjp/Gemm:0 float32[2,3] = Gemm(/Concat/vjp/Split:0, [1 -2 3]) transB=1
      /head/MatMul/vjp/Add:0 float32[2,3] = Add(/Concat/vjp/Split:1, /head/MatMul/vjp/Gemm:0)
      /silu/Mul_1/vjp/Mul:0 float32[2,3] = Mul(/head/MatMul/vjp/Add:0, /silu/Sigmoid:0)
      /silu/Mul_1/vjp/Mul_1:0 float32[2,3] = Mul(/head/MatMul/vjp/Add:0, x)
      /silu/Sigmoid/vjp/Sub:0 float32[2,3] = Sub(1, /silu/Sigmoid:0)
      /silu/Sigmoid/vjp/Mul:0 float32[2,3] = Mul(/silu/Sigmoid:0, /silu/Sigmoid/vjp/Sub:0)
      /silu/Sigmoid/vjp/Mul_1:0 float32[2,3] = Mul(/silu/Mul_1/vjp/Mul_1:0, /silu/Sigmoid/vjp/Mul:0)
      /silu/Cast/vjp/Add:0 float32[2,3] = Add(/silu/Sigmoid/vjp/Mul_1:0, /silu/Mul_1/vjp/Mul:0)
      dx float32[2,3] = Identity(/silu/Cast/vjp/Add:0)
      out y, dx"
    `);
  });
});
