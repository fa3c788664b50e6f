/** The gradient of the determinant. g: gradient of the output. */
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { rule, unless, type RuleContext, type RuleTable } from '../rule.ts';

/** Of n rows there are n² minors of (n − 1)² elements: a million of this many. */
const mostRows = 32;

/**
 * g times the cofactors: with signs, the determinants of what remains without one row and one column. No
 * inverse is in it, so that it is right for singular matrices.
 */
function determinantInput({ b, g, x }: RuleContext): Value {
  const n = x.shape.at(-1) as number;
  const before = x.shape.length - 2;
  const each = b.reshape(g, [...g.shape, 1, 1]);
  if (n === 1) return each;
  const all = [...Array(n).keys()];
  const others = b.constant(
    all.flatMap((left) => all.filter((i) => i !== left)),
    'int64',
    [n, n - 1],
  );
  const rows = b.op('Gather', [x, others], { axis: before });
  const columns = b.op('Gather', [rows, others], { axis: before + 2 });
  const batch = [...Array(before).keys()];
  const minors = b.transpose(columns, [...batch, before, before + 2, before + 1, before + 3]);
  const signs = all.flatMap((i) => all.map((j) => (-1) ** (i + j)));
  const cofactors = b.mul(b.op('Det', [minors]), b.constant(signs, x.dtype, [n, n]));
  return b.mul(each, cofactors);
}

const large = ({ x }: NodeView): string | undefined =>
  (x.shape.at(-1) as number) > mostRows
    ? `its matrices have more than ${mostRows} rows`
    : undefined;

export const determinant: RuleTable = { Det: unless(large, rule(determinantInput)) };
