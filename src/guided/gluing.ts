/** The gluing term of latent solvers: a latent should be that of the image which it decodes to, once that agrees with the measurement. */
import { gradients } from '../autodiff/gradients.ts';
import type { Loss, Seen } from '../losses/loss.ts';
import { measurementNorm } from '../losses/measurement.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { defaultOpset, emptyGraph, type Graph, type Value } from '../onnx/graph.ts';
import { visible, type ImageShape, type Operator } from '../operators/operator.ts';
import { simplify } from '../simplify/simplify.ts';
import { sizeOf, type Tensor } from '../tensor/tensor.ts';
import { encode } from './decoded.ts';
import { operatorInputs } from './guided.ts';

export interface Encoder {
  /** Resolved for canvases of one shape. */
  readonly graph: Graph;
  readonly latent: { readonly factor: number; readonly scaling: number };
  readonly channels: number;
}

/**
 * ‖ẑ₀ − E(Aᵀy + (I − AᵀA) D(ẑ₀))‖₂: Rout et al., Solving Linear Inverse Problems Provably via
 * Posterior Sampling with Latent Diffusion Models (2023), algorithm 2, the norm as in its published
 * code. The article has AᵀA a projection; so that it is nearly one for means over windows too, Aᵀ
 * is multiplied by how many pixels there are for one of the measurement.
 * @param measurement y, `[C,H,W]`; what the operator hides is not looked at
 * @param encoderFor the encoder of canvases on which images of a shape `[N,C,H,W]` lie
 */
export function gluingLoss(
  operator: Operator,
  measurement: Tensor,
  encoderFor: (image: readonly number[]) => Promise<Encoder>,
): Loss {
  const loss: Loss = {
    signature: ['gluing', operator.signature, ...measurement.shape].join(),
    parameters: { ...operator.parameters, measurement: visible(operator, measurement) },
    at: async (shape) => {
      const encoder = await encoderFor(shape);
      return {
        ...loss,
        opset: encoder.graph.opset,
        value(b, image, { measurement: y, ...parameters }, seen) {
          if (!y) throw new Error('gluingLoss: no measurement');
          const predicted = operator.A(b, image, parameters);
          const missed = adjoint(b, predicted, image, b.sub(y, predicted));
          const glued = b.add(seen.canvas, onCanvas(b, missed, seen));
          return measurementNorm(b, seen.x0, encode(b, encoder.graph, glued, encoder));
        },
      };
    },
    value() {
      throw new Error('gluingLoss: used before it was prepared for a size');
    },
  };
  return loss;
}

/** c Aᵀ r, c the number of pixels for one of the measurement. @param predicted A(image), linear in it */
function adjoint(b: GraphBuilder, predicted: Value, image: Value, r: Value): Value {
  const found = gradients(b, new Map([[predicted.name, r]]), [image.name]);
  const c = sizeOf(image.shape) / sizeOf(predicted.shape);
  return b.scale(found.get(image.name) as Value, c);
}

/** An image with zeros around it. */
function onCanvas(b: GraphBuilder, image: Value, { canvas, top, left }: Seen): Value {
  const [, , h = 0, w = 0] = image.shape;
  const [, , height = 0, width = 0] = canvas.shape;
  if (h === height && w === width) return image;
  const pads = [0, 0, top, left, 0, 0, height - h - top, width - w - left];
  return b.op('Pad', [image, b.ints(pads)]);
}

/**
 * c Aᵀ y, the simplest reconstruction of a measurement: what it knows where it knows it, enlarged
 * where it was made smaller.
 * @param shape `[C,H,W]` of the image
 */
export function adjointGraph(operator: Operator, shape: ImageShape): Graph {
  const b = new GraphBuilder(emptyGraph('adjoint', defaultOpset));
  const x = b.input('x', 'float32', [1, ...shape]);
  const y = b.input('y', 'float32', [1, ...operator.measured(shape)]);
  const predicted = operator.A(b, x, operatorInputs(b, operator));
  b.output(adjoint(b, predicted, x, y), 'image');
  return simplify(b.graph);
}
