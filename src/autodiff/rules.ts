/** The table of gradient rules, by operator. */
import type { Rule, RuleTable } from './rule.ts';
import { attention } from './rules/attention.ts';
import { classification } from './rules/classification.ts';
import { convolution } from './rules/convolution.ts';
import { deformable } from './rules/deformable.ts';
import { determinant } from './rules/determinant.ts';
import { elementwise } from './rules/elementwise.ts';
import { indexing } from './rules/indexing.ts';
import { linear } from './rules/linear.ts';
import { movement } from './rules/movement.ts';
import { normalization } from './rules/normalization.ts';
import { pooling } from './rules/pooling.ts';
import { quantization } from './rules/quantization.ts';
import { recurrent } from './rules/recurrent.ts';
import { reduction } from './rules/reduction.ts';
import { resize } from './rules/resize.ts';
import { regions } from './rules/regions.ts';
import { scatter } from './rules/scatter.ts';
import { transforms } from './rules/transforms.ts';
import { warping } from './rules/warping.ts';

export const rules: RuleTable = {
  ...elementwise,
  ...movement,
  ...indexing,
  ...scatter,
  ...reduction,
  ...convolution,
  ...pooling,
  ...resize,
  ...linear,
  ...determinant,
  ...transforms,
  ...normalization,
  ...attention,
  ...warping,
  ...deformable,
  ...regions,
  ...recurrent,
  ...classification,
  ...quantization,
};

/** The rule of an operator as that operator set defines it; undefined if there is none. */
export function ruleFor(operator: string, opset: number): Rule | undefined {
  const row = rules[operator];
  if (!row || !('since' in row)) return row;
  const versions = Object.keys(row.since).map(Number);
  const newest = Math.max(...versions.filter((v) => v <= opset));
  return row.since[newest];
}
