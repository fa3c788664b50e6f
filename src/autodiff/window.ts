/** The window of a node on the path. */
import { intsAttr, stringAttr } from '../onnx/attributes.ts';
import type { NodeView } from '../onnx/node-view.ts';
import { makeWindow, type Window } from '../onnx/window.ts';

/** What a node with a window of size `kernel` slides over the spatial axes of its first input. */
export function windowOf({ node, x }: NodeView, kernel: readonly number[]): Window {
  return makeWindow(x.shape.slice(2), kernel, {
    strides: intsAttr(node, 'strides'),
    dilations: intsAttr(node, 'dilations'),
    pads: intsAttr(node, 'pads'),
    autoPad: stringAttr(node, 'auto_pad', 'NOTSET'),
  });
}
