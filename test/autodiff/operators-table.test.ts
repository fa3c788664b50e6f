/** The table of operators in the documentation is what the rules say. `vitest -u` writes it anew. */
import { expect, it } from 'vitest';
import type { Rule } from '../../src/autodiff/rule.ts';
import { ruleFor, rules } from '../../src/autodiff/rules.ts';
import { fusedOperators } from '../../src/onnx/fused/fused.ts';
import { gpuOperators } from '../../src/onnx/fused/gpu.ts';

const opset = 24;
/** More inputs than any operator with a fixed number of them has. */
const mostSlots = 8;

function slotsOf(rule: Rule): string {
  const slots = Array.from({ length: mostSlots }, (_, i) => i).filter((i) => rule.slot(i));
  if (slots.length === mostSlots) return 'every input';
  return slots.length === 0 ? 'none' : slots.join(', ');
}

it('docs/operators.md lists the rules', async () => {
  const rows = Object.keys(rules)
    .toSorted()
    .map((name) => {
      const rule = ruleFor(name, opset)!;
      return `| ${name} | ${slotsOf(rule)} | ${rule.refuse ? 'some forms are refused, with the reason' : ''} |`;
    });
  const own = [...fusedOperators, ...Object.keys(gpuOperators)].sort();
  const table = [
    '# Operators with a gradient rule',
    '',
    'Written by `npx vitest run test/autodiff/operators-table.test.ts -u` from `src/autodiff/rules`.',
    'ai.onnx, operator sets 7 to 24 (what is older than 17 is upgraded first). «none» means that the',
    'operator is known to be constant as far as calculus goes: shapes, comparisons, indices. Rounding to',
    'integers by QuantizeLinear and its like counts as the identity, within the range of the integers.',
    '',
    '| operator | gradient to input | |',
    '| --- | --- | --- |',
    ...rows,
    '',
    '## ONNX Runtime’s own',
    '',
    'What its optimizers and quantizers leave in a file, under the domain com.microsoft, is written as operators of',
    'the table where a model is read, and so can be differentiated too. Some forms are not known, and are refused then.',
    '',
    own.join(', '),
    '',
  ];
  await expect(table.join('\n')).toMatchFileSnapshot('../../docs/operators.md');
});
