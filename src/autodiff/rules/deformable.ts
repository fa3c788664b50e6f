/** Deformable convolution: Dai et al. 2017; with a mask, Zhu et al. 2019. */
import { intAttr } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { sizeOf } from '../../tensor/tensor.ts';
import { writtenAs, type RuleTable } from '../rule.ts';
import { sampled } from '../sampling.ts';
import { windowOf } from '../window.ts';

/** Each tap of the kernel reads at a place of its own; what all read is multiplied by the weights. */
function deformConv(b: GraphBuilder, v: NodeView): Value[] {
  const { node, x, w } = v;
  const [n = 1, channels = 1, ...image] = x.shape;
  const [filters = 1, , ...kernel] = w.shape;
  const size = (v.input(2) as Value).shape.slice(2);
  const [taps, places] = [sizeOf(kernel), sizeOf(size)];
  const [group, parts] = [intAttr(node, 'group', 1), intAttr(node, 'offset_group', 1)];
  const [bias, mask] = [v.input(3), v.input(4)];

  const images = b.reshape(x, [n * parts, channels / parts, ...image]);
  const read = sampled(b, images, tapsMoved(b, v, n * parts), { mode: 'linear', beyond: 'zeros' });
  const counted = mask ? b.mul(read, b.reshape(mask, [n * parts, taps * places, 1])) : read;
  const inGroup = (channels / group) * taps;
  const columns = b.reshape(b.transpose(counted, [0, 2, 1]), [n, group, inGroup, places]);
  const product = b.matMul(b.reshape(w, [group, filters / group, inGroup]), columns);
  const y = b.reshape(product, [n, filters, ...size]);
  return [bias ? b.add(y, b.reshape(bias, [filters, ...size.map(() => 1)])) : y];
}

/** Where each tap reads at each place of the output, by axis, `[images, 1, taps · places]`. */
function tapsMoved(b: GraphBuilder, v: NodeView, images: number): Value[] {
  const offsets = v.input(2) as Value;
  const kernel = v.w.shape.slice(2);
  const size = offsets.shape.slice(2);
  const { strides, dilations, pads } = windowOf(v, kernel);
  const byAxis = b.reshape(offsets, [images, sizeOf(kernel), kernel.length, sizeOf(size)]);
  return b.parts(byAxis, kernel.length, 2).map((move, axis) => {
    const whole = b.reshape(move, [images, ...kernel, ...size]);
    /** What a place along one of the axes of `whole` adds. */
    const along = (place: number, of: (i: number) => number): Value => {
      const list = Array.from({ length: whole.shape[place] as number }, (_, i) => of(i));
      return b.constant(list, whole.dtype, whole.shape.map(() => 1).with(place, list.length));
    };
    const [stride, dilation, pad] = [strides, dilations, pads].map((l) => l[axis] as number);
    const taps = along(1 + axis, (i) => i * (dilation as number));
    const places = along(1 + kernel.length + axis, (i) => i * (stride as number) - (pad as number));
    const at = b.add(b.add(whole, taps), places);
    return b.reshape(at, [images, 1, sizeOf(kernel) * sizeOf(size)]);
  });
}

export const deformable: RuleTable = { DeformConv: writtenAs([0, 1, 2, 3, 4], deformConv) };
