/** Gradients of operators that pick elements by index. g: gradient of the output. */
import { intAttr } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import { bytesOf } from '../../onnx/initializer.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { showShape, sizeOf } from '../../tensor/tensor.ts';
import { scatterAdd, scatterAddAlong } from '../adjoint.ts';
import { derived } from '../derived.ts';
import { noGradient, passingIntegers, rule, type RuleContext, type RuleTable } from '../rule.ts';

export const axisOf = ({ node, x }: NodeView, otherwise = 0): number => {
  const axis = intAttr(node, 'axis', otherwise);
  return axis < 0 ? axis + x.shape.length : axis;
};

/** Zeros, with the rows of g added where they came from. */
function gatherInput(c: RuleContext): Value {
  const { b, g, x, w } = c;
  const axis = axisOf(c);
  const size = x.shape[axis] as number;
  const before = sizeOf(x.shape.slice(0, axis));
  const after = sizeOf(x.shape.slice(axis + 1));
  const count = sizeOf(w.shape);
  const known = c.constant(1)?.map((i) => (i < 0 ? i + size : i));
  if (known?.every((i, j) => i === (known[0] as number) + j) && count > 0) {
    const end = size - (known[0] as number) - count;
    const picked = b.reshape(g, [before, count, after]);
    return b.reshape(b.op('Pad', [picked, b.ints([0, known[0] as number, 0, 0, end, 0])]), x.shape);
  }
  const indices = known ? b.constant(known, 'int64', [count, 1]) : fromStart(c, size, [count, 1]);
  const rows = b.transpose(
    b.reshape(g, [before, count, after]),
    before === 1 ? [0, 1, 2] : [1, 0, 2],
  );
  const sums = scatterAdd(
    b,
    [size, before * after],
    indices,
    b.reshape(rows, [count, before * after]),
  );
  const turned =
    before === 1 ? sums : b.transpose(b.reshape(sums, [size, before, after]), [1, 0, 2]);
  return b.reshape(turned, x.shape);
}

/** Computed indices as int64, those that count from the end made to count from the start. */
function fromStart({ b, w }: RuleContext, size: number, shape: readonly number[]): Value {
  const indices = b.reshape(b.cast(w, 'int64'), shape);
  const negative = b.op('Less', [indices, b.ints(0)]);
  return b.op('Where', [negative, b.add(indices, b.ints(size)), indices]);
}

/** Tuples of indices with the batch's own coordinates in front, which GatherND leaves out. */
function wholeTuples({ b, node, w }: RuleContext): Value {
  const batch = w.shape.slice(0, intAttr(node, 'batch_dims', 0));
  if (batch.length === 0) return w;
  const tuples = w.shape.slice(0, -1);
  const inner = sizeOf(tuples.slice(batch.length));
  const shape = [...tuples, batch.length];
  const coordinates = derived(b, `coordinates${showShape(shape)}`, () => ({
    dtype: 'int64',
    shape,
    bytes: () =>
      bytesOf(
        BigInt64Array.from({ length: sizeOf(shape) }, (_, i) => {
          const axis = i % batch.length;
          const at = Math.floor(i / batch.length / inner / sizeOf(batch.slice(axis + 1)));
          return BigInt(at % (batch[axis] as number));
        }),
      ),
  }));
  return b.op('Concat', [coordinates, w], { axis: -1 });
}

/** Each index occurs once, so that nothing needs to be added up. */
function topKInput(c: RuleContext): Value {
  const { b, g, x, y, node } = c;
  const indices = c.output(1, { dtype: 'int64', shape: y.shape });
  return b.op('ScatterElements', [b.zeros({ dtype: g.dtype, shape: x.shape }), indices, g], {
    axis: intAttr(node, 'axis', -1),
  });
}

export const indexing: RuleTable = {
  Gather: passingIntegers(rule(gatherInput)),
  GatherElements: rule((c) => scatterAddAlong(c.b, c.x.shape, c.w, c.g, axisOf(c))),
  GatherND: rule((c) => scatterAdd(c.b, c.x.shape, wholeTuples(c), c.g)),
  TopK: rule(topKInput),
  ArgMax: noGradient,
  ArgMin: noGradient,
};
