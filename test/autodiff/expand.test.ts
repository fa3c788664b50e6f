/** What nodes are written as computes what they do. */
import { describe, expect, test } from 'vitest';
import { copyOf, differentiate } from '../../src/autodiff/differentiate.ts';
import { prepareForward } from '../../src/autodiff/gradients.ts';
import { ruleFor } from '../../src/autodiff/rules.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { emptyGraph, type Value } from '../../src/onnx/graph.ts';
import { relativeError } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';
import { classification } from './cases/classification.ts';
import { normalization } from './cases/normalization.ts';
import { quantization } from './cases/quantization.ts';
import { recurrent } from './cases/recurrent.ts';
import { regions } from './cases/regions.ts';
import { transforms } from './cases/transforms.ts';
import { warping } from './cases/warping.ts';
import { feedsOf, forwardGraph, wrtOf, type LawCase } from './law.ts';

const expanding = [
  ...warping,
  ...regions,
  ...recurrent,
  ...classification,
  ...normalization,
  ...quantization,
  ...transforms,
].filter((c) => ruleFor(c.operator, c.opset ?? 17)?.expand);

test.each(expanding.map((c): [string, LawCase] => [`${c.operator}: ${c.name}`, c]))(
  '%s',
  async (_, c) => {
    const graph = forwardGraph(c);
    const [y] = graph.outputs as [Value];
    const b = new GraphBuilder(copyOf(graph));
    prepareForward(b, [y.name], wrtOf(c));
    expect(b.graph.nodes.some((node) => node.opType === c.operator)).toBe(false);
    const feeds = feedsOf(c);
    delete feeds['cotangent'];
    const [native, written] = [await runGraph(graph, feeds), await runGraph(b.graph, feeds)];
    expect(relativeError(written[y.name]!, native[y.name]!)).toBeLessThan(1e-6);
  },
);

describe('only where a gradient passes', () => {
  const twice = (): GraphBuilder => {
    const b = new GraphBuilder(emptyGraph('model', 20));
    const x = b.input('x', 'float32', [1, 1, 4, 4]);
    const flow = b.input('flow', 'float32', [1, 2, 2, 2]);
    const still = b.op('GridSample', [b.input('other', 'float32', [1, 1, 4, 4]), flow]);
    b.output(b.mul(b.op('GridSample', [x, flow]), still), 'y');
    return b;
  };

  test('the rest keeps its kernel', () => {
    const { nodes } = differentiate(twice().graph, { wrt: 'x' });
    expect(nodes.filter((node) => node.opType === 'GridSample')).toHaveLength(1);
  });

  test('and none does at a value that stops it', () => {
    const b = twice();
    const stopped = b.graph.nodes.find((node) => node.input[0] === 'x')?.output ?? [];
    expect(() => differentiate(b.graph, { wrt: 'x', stop: new Set(stopped) })).toThrow(
      'through any differentiable path',
    );
  });
});
