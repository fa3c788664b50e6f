/** The gradient of Resize. g: gradient of the output. */
import { intsAttr, plainAttributes, stringAttr } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { adjointAlong, eye } from '../adjoint.ts';
import { constantInputs } from '../constant-inputs.ts';
import { passingIntegers, rule, unless, type RuleContext, type RuleTable } from '../rule.ts';

/**
 * Every mode is linear and works on one axis at a time, so that resizing the identity gives its
 * matrix, just as the forward kernel computes it; ONNX Runtime folds that when it loads the graph.
 */
function resizeInput(c: RuleContext): Value {
  const { b, g, x } = c;
  const factors = x.shape.map((d, i) => (g.shape[i] as number) / d);
  const named = (factor: number, axis: number): boolean => (scaleOf(c, axis) ?? factor) === factor;
  // A scale of 2.1 makes 10 of 5 as well, and samples them elsewhere.
  if (copies(c, factors) && factors.every(named)) {
    const kernel = factors.slice(2);
    const mean = b.op('AveragePool', [g], { kernel_shape: kernel, strides: kernel });
    return b.scale(
      mean,
      kernel.reduce((n, k) => n * k, 1),
    );
  }
  return x.shape.reduce((gradient, size, axis) => {
    const scale = scaleOf(c, axis);
    if (g.shape[axis] === size && (scale === undefined || scale === 1)) return gradient;
    return adjointAlong(b, gradient, matrix(c, axis, scale), axis);
  }, g);
}

/** Whether each element is copied into a block of whole size, on spatial axes only. */
function copies({ node }: NodeView, factors: readonly number[]): boolean {
  const transform = stringAttr(node, 'coordinate_transformation_mode', 'half_pixel');
  const rounding = stringAttr(node, 'nearest_mode', 'round_prefer_floor');
  const blocks =
    (transform === 'asymmetric' && rounding === 'floor') ||
    (transform.endsWith('half_pixel') && rounding.startsWith('round'));
  return (
    stringAttr(node, 'mode', 'nearest') === 'nearest' &&
    blocks &&
    factors.length > 2 &&
    factors.every((f, i) => (i < 2 ? f === 1 : Number.isInteger(f)))
  );
}

/** The scale that the node names for an axis; undefined where it names sizes. */
function scaleOf(c: NodeView, axis: number): number | undefined {
  const scales = c.constant(2);
  if (!scales?.length) return undefined;
  const rank = c.x.shape.length;
  const named = intsAttr(c.node, 'axes')?.map((a) => (a < 0 ? a + rank : a));
  const at = named ? named.indexOf(axis) : axis;
  return at < 0 ? 1 : scales[at];
}

/** R of y = R x along an axis. */
function matrix({ b, g, x, node }: RuleContext, axis: number, scale: number | undefined): Value {
  const [from, to] = [x.shape[axis] as number, g.shape[axis] as number];
  const image = b.reshape(eye(b, from), [1, 1, from, from]);
  const target =
    scale === undefined
      ? [undefined, undefined, b.ints([1, 1, to, from])]
      : [undefined, b.constant([1, 1, scale, 1])];
  const { axes: _, ...attributes } = plainAttributes(node);
  return b.reshape(b.op('Resize', [image, ...target], attributes), [to, from]);
}

function obstacle(v: NodeView): string | undefined {
  const transform = stringAttr(v.node, 'coordinate_transformation_mode', 'half_pixel');
  if (transform === 'tf_crop_and_resize') return 'it crops to a region of interest';
  if (stringAttr(v.node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch')
    return 'its sizes are bounds that keep the aspect ratio';
  return constantInputs(2, 3)(v);
}

export const resize: RuleTable = {
  Resize: passingIntegers(unless(obstacle, rule(resizeInput, null, null))),
};
