/** Gradients of operators that move elements without computing with them. g: gradient of the output. */
import { intAttr, intsAttr, plainAttributes, stringAttr } from '../../onnx/attributes.ts';
import type { DType } from '../../onnx/dtype.ts';
import { valueOf, type Value } from '../../onnx/graph.ts';
import { fullPads, sliceSpan } from '../../onnx/infer/movement.ts';
import { sizeOf } from '../../tensor/tensor.ts';
import { adjointAlong, eye, positions } from '../adjoint.ts';
import { constantInputs } from '../constant-inputs.ts';
import {
  every,
  noGradient,
  passingIntegers,
  rule,
  unless,
  type RuleContext,
  type RuleTable,
} from '../rule.ts';

const asInput = passingIntegers(rule(({ b, g, x }) => b.reshape(g, x.shape)));

function transposeInput({ b, g, node }: RuleContext): Value {
  const axes = [...g.shape.keys()];
  const perm = intsAttr(node, 'perm') ?? axes.toReversed();
  return b.transpose(
    g,
    axes.map((axis) => perm.indexOf(axis)),
  );
}

function concatInput(c: RuleContext, slot: number): Value {
  const { b, g, node } = c;
  const axis = intAttr(node, 'axis', 0);
  const sizes = node.input.map((name) => valueOf(b.graph, name).shape.at(axis) as number);
  return c.shared('parts', () => b.split(g, sizes, axis))[slot] as Value;
}

/** The gradients side by side again, with zeros for the parts that nothing depends on. */
function splitInput({ b, gradients, node }: RuleContext): Value {
  const dtype = gradients.find((g) => g)?.dtype as DType;
  const zeros = (name: string): Value => b.zeros({ dtype, shape: valueOf(b.graph, name).shape });
  const parts = node.output.map((name, i) => gradients[i] ?? zeros(name));
  return b.op('Concat', parts, { axis: intAttr(node, 'axis', 0) });
}

/** Zeros around g; or g laid on zeros, where steps leave gaps or turn an axis round. */
function sliceInput(c: RuleContext): Value {
  const { b, g, x } = c;
  const rank = x.shape.length;
  const [starts = [], ends = []] = [c.constant(1), c.constant(2)];
  const axes = c.constant(3) ?? [...starts.keys()];
  const steps = c.constant(4) ?? [];
  if (steps.some((step) => step !== 1)) return scatteredSlice(c);
  const pads = new Array<number>(2 * rank).fill(0);
  axes.forEach((named, j) => {
    const axis = named < 0 ? named + rank : named;
    const dim = x.shape[axis] as number;
    const { first, count } = sliceSpan(dim, starts[j] ?? 0, ends[j] ?? dim, 1);
    pads[axis] = first;
    pads[axis + rank] = dim - first - count;
  });
  return b.op('Pad', [g, b.ints(pads)]);
}

/** The positions of x's elements are sliced as x was, which says where each element of g goes. */
function scatteredSlice(c: RuleContext): Value {
  const { b, g, x } = c;
  const bounds = [1, 2, 3, 4].map((slot) => c.input(slot));
  const from = b.op('Slice', [positions(b, x.shape), ...bounds]);
  const flat = (v: Value): Value => b.reshape(v, [sizeOf(g.shape)]);
  const zeros = b.zeros({ dtype: g.dtype, shape: [sizeOf(x.shape)] });
  return b.reshape(b.op('ScatterElements', [zeros, flat(from), flat(g)]), x.shape);
}

const padsOf = (c: RuleContext): number[] =>
  fullPads(c.constant(1) ?? [], c.constant(3), c.x.shape.length);

/** Zeros: what was added is cut off, what was cut off is zero. Else the matrix of the padding. */
function padInput(c: RuleContext): Value {
  const { b, g, x, node } = c;
  const pads = padsOf(c);
  const mode = stringAttr(node, 'mode', 'constant');
  if (mode === 'constant') return b.op('Pad', [g, b.ints(pads.map((p) => -p))]);
  return x.shape.reduce((gradient, size, axis) => {
    const [begin, end] = [pads[axis] as number, pads[axis + x.shape.length] as number];
    if (begin === 0 && end === 0) return gradient;
    const matrix = b.op('Pad', [eye(b, size), b.ints([begin, 0, end, 0])], { mode });
    return adjointAlong(b, gradient, matrix, axis);
  }, g);
}

/** The padding's own value appears everywhere but where x is. */
function padValue(c: RuleContext): Value {
  const { b, g, x } = c;
  const added = padsOf(c).map((p) => -Math.max(p, 0));
  const all = [...g.shape.keys()];
  const inside = b.reduce('Sum', b.op('Pad', [g, b.ints(added)]), all, false);
  const value = b.sub(b.reduce('Sum', g, all, false), inside);
  return b.cast(value, x.dtype);
}

/** The sum over all copies. */
function tileInput({ b, g, x }: RuleContext): Value {
  const repeats = x.shape.map((d, i) => (g.shape[i] as number) / d);
  const copies = b.reshape(
    g,
    x.shape.flatMap((d, i) => (repeats[i] === 1 ? [d] : [repeats[i] as number, d])),
  );
  const axes = repeats.flatMap((r, i) =>
    r === 1 ? [] : [i + repeats.slice(0, i).filter((before) => before !== 1).length],
  );
  return axes.length === 0 ? g : b.reduce('Sum', copies, axes, false);
}

/** Column, row, depth order has no inverse among the modes of SpaceToDepth. */
function depthToSpaceInput({ b, g, x, node }: RuleContext): Value {
  const k = intAttr(node, 'blocksize', 1);
  if (stringAttr(node, 'mode', 'DCR') === 'DCR') return b.op('SpaceToDepth', [g], { blocksize: k });
  const [n = 1, channels = 1, h = 1, w = 1] = x.shape;
  const blocks = b.reshape(g, [n, channels / k ** 2, h, k, w, k]);
  return b.reshape(b.transpose(blocks, [0, 1, 3, 5, 2, 4]), x.shape);
}

export const movement: RuleTable = {
  // The same elements in another shape or order
  Reshape: asInput,
  Flatten: asInput,
  Squeeze: asInput,
  Unsqueeze: asInput,
  Transpose: passingIntegers(rule(transposeInput)),
  DepthToSpace: passingIntegers(rule(depthToSpaceInput)),
  // Turned round once more, everything is where it was.
  ReverseSequence: rule(({ b, g, w, node }) =>
    b.op('ReverseSequence', [g, w], plainAttributes(node)),
  ),
  SpaceToDepth: passingIntegers(
    rule(({ b, g, node }) =>
      b.op('DepthToSpace', [g], { blocksize: intAttr(node, 'blocksize', 1), mode: 'DCR' }),
    ),
  ),

  // Parts and wholes
  Concat: passingIntegers(every(concatInput)),
  Split: passingIntegers({ ...rule(splitInput), allOutputs: true }),
  Slice: passingIntegers(unless(constantInputs(1, 2, 3, 4), rule(sliceInput))),
  Pad: passingIntegers(unless(constantInputs(1, 3), rule(padInput, null, padValue))),
  Trilu: rule((c) => c.b.op('Trilu', [c.g, c.input(1)], { upper: intAttr(c.node, 'upper', 1) })),

  // Copies
  Expand: passingIntegers(rule(({ g }) => g)),
  Tile: rule(tileInput),

  // What depends on shapes or positions alone, or is drawn at random
  OneHot: rule(null, null),
  ...Object.fromEntries(
    [
      ['Shape', 'Size', 'Range', 'ConstantOfShape', 'EyeLike', 'NonZero'],
      ['RandomNormalLike', 'RandomUniformLike'],
    ]
      .flat()
      .map((op) => [op, noGradient]),
  ),
};
