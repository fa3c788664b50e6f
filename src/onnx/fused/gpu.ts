/**
 * Operators of com.microsoft that ONNX Runtime has kernels for on GPUs alone, as its optimizer for diffusion
 * models leaves them: convolutions and normalizations with channels last, and sums.
 */
import { floatAttr, intAttr, plainAttributes } from '../attributes.ts';
import { writeGroupNormalization } from '../group-normalization.ts';
import type { Lowering } from '../lowering.ts';

/** Writes a node; false for a form that is not known, before anything is written. */
type Lowered = (w: Lowering) => boolean;

const toFirst = [0, 3, 1, 2];
const toLast = [0, 2, 3, 1];

/** Channels are last in images and weights. */
const convolution: Lowered = (w) => {
  const first = (slot: number, part: string): string =>
    w.emit('Transpose', [w.input(slot)], w.own(part), { perm: toFirst });
  const operands = [first(0, 'image'), first(1, 'kernel'), ...(w.input(2) ? [w.input(2)] : [])];
  const y = w.emit('Conv', operands, w.own('convolved'), plainAttributes(w.node));
  w.emit('Transpose', [y], w.output(0), { perm: toLast });
  return true;
};

/** Of images with channels last or first, with SiLU after it where that is asked for. */
function normalized(w: Lowering, x: string): boolean {
  const [scale, bias] = [w.input(1), w.input(2)];
  const size = w.shapeOf(scale)?.[0];
  if (size === undefined) return false;
  const last = intAttr(w.node, 'channels_last', 1) === 1;
  const active = intAttr(w.node, 'activation', 0) === 1;
  const image = last ? w.emit('Transpose', [x], w.own('image'), { perm: toFirst }) : x;
  const settings = {
    groups: intAttr(w.node, 'groups', 1),
    epsilon: floatAttr(w.node, 'epsilon', 1e-5),
    perGroup: false,
  };
  const normal = w.own('normalized');
  writeGroupNormalization(w, { x: image, scale, bias, ...settings }, size, normal);
  const y = active
    ? w.emit('Mul', [normal, w.emit('Sigmoid', [normal], w.own('gate'))], w.own('active'))
    : normal;
  if (last) w.emit('Transpose', [y], w.output(0), { perm: toLast });
  else w.emit('Identity', [y], w.output(0));
  return true;
}

/** x + skip + bias, normalized; the sum is output 1. Skip may be one number a channel, `[N,C]`. */
const skipGroupNorm: Lowered = (w) => {
  // Channels first, a bias of one number a channel would take other axes.
  if (intAttr(w.node, 'channels_last', 1) !== 1 || !w.shapeOf(w.input(1))) return false;
  const sum = w.output(1) || w.own('sum');
  const skipped = w.emit('Add', [w.input(0), asImage(w, w.input(3))], w.own('skipped'));
  if (w.input(4)) w.emit('Add', [skipped, w.input(4)], sum);
  else w.emit('Identity', [skipped], sum);
  return normalized(w, sum);
};

/** `[N,C]` as `[N,1,1,C]`, and `[N,H,W,C]` as it is. */
function asImage(w: Lowering, x: string): string {
  const at = (name: string, part: string, from: number, to: number): string =>
    w.emit(
      'Slice',
      [name, w.ints(`${part}.from`, [from]), w.ints(`${part}.to`, [to])],
      w.own(part),
    );
  const shape = w.emit('Shape', [x], w.own('skip.shape'));
  const inner = at(shape, 'skip.inner', 1, -1);
  const padded = w.emit('Concat', [w.ints('skip.ones', [1, 1]), inner], w.own('skip.padded'), {
    axis: 0,
  });
  const end = 2 ** 31 - 1;
  const parts = [
    at(shape, 'skip.first', 0, 1),
    at(padded, 'skip.sizes', -2, end),
    at(shape, 'skip.last', -1, end),
  ];
  const whole = w.emit('Concat', parts, w.own('skip.whole'), { axis: 0 });
  return w.emit('Reshape', [x, whole], w.own('skip'));
}

/** x + bias + skip. */
const biasAdd: Lowered = (w) => {
  const biased = w.emit('Add', [w.input(0), w.input(1)], w.own('biased'));
  w.emit('Add', [biased, w.input(2)], w.output(0));
  return true;
};

/** The first half of x + bias times GELU of the second. */
const biasSplitGelu: Lowered = (w) => {
  const biased = w.emit('Add', [w.input(0), w.input(1)], w.own('biased'));
  const halves = [w.own('values'), w.own('gates')];
  const count = w.opset >= 18 ? { num_outputs: 2 } : {};
  w.emitAll('Split', [biased], halves, { axis: -1, ...count });
  const gate = w.emit('Gelu', [w.own('gates')], w.own('gate'), {}, 'com.microsoft');
  w.emit('Mul', [w.own('values'), gate], w.output(0));
  return true;
};

export const gpuOperators: Readonly<Record<string, Lowered>> = {
  NhwcConv: convolution,
  GroupNorm: (w) => normalized(w, w.input(0)),
  SkipGroupNorm: skipGroupNorm,
  BiasAdd: biasAdd,
  BiasSplitGelu: biasSplitGelu,
};
