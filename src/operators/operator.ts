/** What a degradation operator is. */
import { UserError } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { showShape, tensor, type Tensor } from '../tensor/tensor.ts';

/** `[C,H,W]`. */
export type ImageShape = readonly [number, number, number];

/** A residual y − A(x) along directions in which A Aᵀ is diagonal, or nearly. */
export interface Spectrum {
  /** Its coordinates in an orthonormal basis, `[N,C,H,W]` of the measurement. */
  readonly coordinates: Value;
  /** The diagonal of A Aᵀ, from 0; broadcasts to the coordinates. */
  readonly power: Value;
}

/**
 * A linear degradation y = A(x) as an ONNX subgraph. The same subgraph simulates measurements and
 * is differentiated inside the guided graph, so the two cannot disagree.
 */
export interface Operator {
  readonly name: string;
  /** Operators of the same signature differ in their parameters only, and share one graph. */
  readonly signature: string;
  /**
   * The measurement's shape for an image of this shape.
   * @throws UserError if the operator cannot take such an image
   */
  measured(image: ImageShape): ImageShape;
  /** The inverse: the shape of the images that have measurements of this shape. */
  restored(measurement: ImageShape): ImageShape;
  /** What differs from image to image, `[C,H,W]` each: fed to the graph, not part of it. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /**
   * Appends A(x).
   * @param x `[N,C,H,W]`
   * @param parameters `[N,...]`, one for each of `parameters`
   */
  A(b: GraphBuilder, x: Value, parameters: Readonly<Record<string, Value>>): Value;
  /** Appends what tells, of a residual, how much of each direction an error of x can explain. */
  spectrum(b: GraphBuilder, residual: Value, parameters: Readonly<Record<string, Value>>): Spectrum;
}

/**
 * `[C,H,W]` of an image tensor.
 * @throws UserError for a tensor of more or fewer axes
 */
export function imageShape({ shape }: Tensor): ImageShape {
  const [c = 0, h = 0, w = 0] = shape;
  if (shape.length !== 3)
    throw new UserError(`expected an image [C,H,W], got ${showShape(shape)}`, {
      hint: 'an image has no batch axis, and one channel is an axis of 1',
    });
  return [c, h, w];
}

/** How many values were measured: all, or those that the mask keeps. */
export function measuredValues(operator: Operator, y: Tensor): number {
  const mask = operator.parameters['mask']?.data;
  if (!mask) return y.data.length;
  return mask.reduce((n, v) => n + v, 0) * (y.data.length / mask.length);
}

/** A measurement without what the operator hides, which nobody measured. */
export function visible(operator: Operator, y: Tensor): Tensor {
  const mask = operator.parameters['mask']?.data;
  if (!mask) return y;
  return tensor(
    y.shape,
    y.data.map((v, i) => (mask[i % mask.length] === 0 ? 0 : v)),
  );
}
