/** Nodes of operator sets 7 to 16, in the form that they have in set 17. */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { amend } from './amend.ts';
import { floatAttr, floatsAttr, hasAttr, intAttr, intsAttr, stringAttr } from './attributes.ts';
import type { GraphBuilder } from './builder.ts';
import {
  changing,
  withAttributes,
  withInputs,
  withListInput,
  without,
  type Change,
} from './forms.ts';
import { constantNumbers } from './graph.ts';
import { nodeName } from './node.ts';

/** Before opset 13 the axis of these said where to flatten to a matrix, whose rows were normalized. */
export const flattening = /^(Softmax|LogSoftmax|Hardmax)$/;

/** What had another form before a set, and what it is since then. */
const changes: readonly Change[] = [
  // Per channel, which is the default; another is not a node of set 17.
  [9, /^BatchNormalization$/, (node) => without(node, 'spatial')],
  [10, /^Slice$/, sliced],
  [
    10,
    /^TopK$/,
    (node, b) => withInputs(without(node, 'k'), [b.ints([intAttr(node, 'k', 1)]).name]),
  ],
  [10, /^Upsample$/, scaled],
  [11, /^Resize$/, scaled],
  [11, /^Clip$/, clipped],
  [11, /^Pad$/, padded],
  [11, /^Scatter$/, (node) => amend(NodeProtoSchema, node, { opType: 'ScatterElements' })],
  // The ratio is that of training; since then it is an input.
  [12, /^Dropout$/, (node) => without(node, 'ratio')],
  [13, /^(ReduceSum|Squeeze|Unsqueeze)$/, (node, b) => withListInput(node, b, 'axes')],
  [13, /^Split$/, (node, b) => withListInput(node, b, 'split')],
  [13, flattening, (node) => without(node, 'axis')],
  // Regions were not moved by half a pixel; since then they are unless the node says so.
  [
    16,
    /^RoiAlign$/,
    (node) => withAttributes(node, { coordinate_transformation_mode: 'output_half_pixel' }),
  ],
];

/** What brings nodes of operator set `opset` to set 17, as far as they only write differently what they do. */
export function sinceThen(opset: number, b: GraphBuilder): (node: NodeProto) => NodeProto {
  const due = changes.filter(([until]) => opset < until);
  return changing(due, b);
}

function sliced(node: NodeProto, b: GraphBuilder): NodeProto {
  const [starts = [], ends = []] = [intsAttr(node, 'starts'), intsAttr(node, 'ends')];
  const axes = intsAttr(node, 'axes') ?? [...starts.keys()];
  const names = [starts, ends, axes].map((list) => b.ints(list).name);
  return withInputs(without(node, 'starts', 'ends', 'axes'), names);
}

/** Of the type of the input; what is in a body has float32, the type of all else there is. */
function numberLike(node: NodeProto, b: GraphBuilder, value: number): string {
  return b.constant(value, b.graph.values.get(node.input[0] ?? '')?.dtype ?? 'float32').name;
}

function clipped(node: NodeProto, b: GraphBuilder): NodeProto {
  const bound = (name: string): string =>
    hasAttr(node, name) ? numberLike(node, b, floatAttr(node, name, 0)) : '';
  return withInputs(without(node, 'min', 'max'), [bound('min'), bound('max')]);
}

function padded(node: NodeProto, b: GraphBuilder): NodeProto {
  const pads = b.ints(intsAttr(node, 'pads') ?? []).name;
  const value = numberLike(node, b, floatAttr(node, 'value', 0));
  return withInputs(without(node, 'pads', 'value'), [pads, value]);
}

/**
 * Places of pixels were multiples of the scale. Nearest was the one before where there are more of them
 * than there were, and the one after where there are fewer, as ONNX Runtime reads what was not said.
 */
function scaled(node: NodeProto, b: GraphBuilder): NodeProto {
  const given = floatsAttr(node, 'scales');
  const scales = given ? b.constant(given).name : (node.input[1] ?? '');
  const numbers = constantNumbers(b.graph, scales) ?? [];
  const fewer = numbers.some((scale) => scale < 1);
  if (
    fewer &&
    numbers.some((scale) => scale > 1) &&
    stringAttr(node, 'mode', 'nearest') === 'nearest'
  )
    throw new UserError(
      `${nodeName(node)}: nearest pixels, more along one axis and fewer along another`,
      {
        hint: 'export the model again with opset 17',
      },
    );
  const resize = amend(NodeProtoSchema, without(node, 'scales'), { opType: 'Resize' });
  return withAttributes(withInputs(resize, ['', scales]), {
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: fewer ? 'ceil' : 'floor',
  });
}
