/** Every gradient rule against differences, on every case of its family. */
import { describe, expect, test } from 'vitest';
import { activeNodes } from '../../src/autodiff/gradients.ts';
import { noGradient, type Rule } from '../../src/autodiff/rule.ts';
import { rules } from '../../src/autodiff/rules.ts';
import type { Value } from '../../src/onnx/graph.ts';
import { printGraph } from '../helpers/print.ts';
import { attention } from './cases/attention.ts';
import { classification } from './cases/classification.ts';
import { convolution } from './cases/convolution.ts';
import { elementwise } from './cases/elementwise.ts';
import { graphs } from './cases/graphs.ts';
import { indexing } from './cases/indexing.ts';
import { linear } from './cases/linear.ts';
import { movement } from './cases/movement.ts';
import { normalization } from './cases/normalization.ts';
import { pooling } from './cases/pooling.ts';
import { quantization } from './cases/quantization.ts';
import { recurrent } from './cases/recurrent.ts';
import { reduction } from './cases/reduction.ts';
import { regions } from './cases/regions.ts';
import { resize } from './cases/resize.ts';
import { scatters } from './cases/scatter.ts';
import { transforms } from './cases/transforms.ts';
import { warping } from './cases/warping.ts';
import {
  allForms,
  compare,
  derivedGraph,
  forwardGraph,
  tolerance,
  violations,
  wrtOf,
  type LawCase,
} from './law.ts';

const families: Record<string, LawCase[]> = {
  elementwise,
  graphs,
  movement,
  indexing,
  scatters,
  reduction,
  convolution,
  pooling,
  resize,
  linear,
  transforms,
  normalization,
  attention,
  warping,
  regions,
  recurrent,
  classification,
  quantization,
};
const cases = Object.values(families).flat();

describe.each(Object.entries(families))('%s', (_, family) => {
  const titled = family.map((c) => [`${c.operator}: ${c.name}`, c] as const);
  test.each(titled)('%s', async (_, c) => {
    const used = forwardGraph(c).nodes.some((node) => node.opType === c.operator);
    expect(used, `${c.operator} is in the graph`).toBe(true);
    const [first, ...others] = allForms.map((forms) => ({
      forms,
      program: printGraph(derivedGraph(c, forms)),
    }));
    const distinct = others.filter(({ program }) => program !== first?.program);
    for (const { forms } of [first, ...distinct].filter((f) => f !== undefined))
      expect(await violations(c, forms)).toEqual([]);
  });
});

/** Input slots by operator that gradients of some case pass. */
function slotsWithCases(): Set<string> {
  return new Set(
    cases.flatMap((c) => {
      const graph = forwardGraph(c);
      const { values } = activeNodes(graph, [(graph.outputs[0] as Value).name], wrtOf(c));
      return graph.nodes
        .filter((node) => node.opType === c.operator)
        .flatMap((node) => node.input.flatMap((name, i) => (values.has(name) ? [i] : [])))
        .map((slot) => `${c.operator} ${slot}`);
    }),
  );
}

test('every slot of every rule has a case', () => {
  const versions = (row: (typeof rules)[string]): Rule[] =>
    'since' in row ? Object.values(row.since) : [row];
  const covered = slotsWithCases();
  const missing = Object.entries(rules).flatMap(([operator, row]) =>
    versions(row).flatMap((rule) => {
      if (rule === noGradient) return [];
      // A variadic operator has as many slots as it is asked for; two stand for all.
      const slots = [0, 1, 2, 3].filter((slot) => rule.slot(slot));
      const wanted = rule.slot(99) ? slots.slice(0, 2) : slots;
      return wanted.map((slot) => `${operator} ${slot}`).filter((name) => !covered.has(name));
    }),
  );
  expect(missing).toEqual([]);
});

test('no two cases have the same name', () => {
  const names = cases.map((c) => `${c.operator}: ${c.name}`);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

describe('the law catches a rule that is', () => {
  const c = cases.find(({ operator, name }) => operator === 'Sin' && name === 'plain') as LawCase;
  const right = rules['Sin'] as Rule;
  const table = rules as Record<string, Rule>;
  const wrong: Record<string, Rule> = {
    '1 % too large': { slot: () => (g) => g.b.scale(right.slot(0)?.(g) ?? g.g, 1.01) },
    'wrong in sign': { slot: () => (g) => g.b.neg(right.slot(0)?.(g) ?? g.g) },
    'wrong in one element of 24': {
      slot: () => (g) => {
        const gradient = right.slot(0)?.(g) ?? g.g;
        const factors = new Float32Array(24).fill(1).with(5, 1.05);
        return g.b.mul(gradient, g.b.constant(factors, 'float32', gradient.shape));
      },
    },
  };
  test.each(Object.entries(wrong))('%s', async (_, rule) => {
    const [forms] = allForms;
    if (!forms) throw new Error('no forms');
    expect(await violations(c, forms)).toEqual([]);
    table['Sin'] = rule;
    try {
      const found = await violations(c, forms);
      expect(found[0]).toMatch(/^d\/dx: derived -?[\d.]+, by differences -?[\d.]+ /);
    } finally {
      table['Sin'] = right;
    }
  });

  test('with room to spare', async () => {
    const errors = (await compare(c, allForms[0] as (typeof allForms)[number])).map((e) => e.error);
    expect(Math.max(...errors)).toBeLessThan(tolerance / 4);
  });
});
