/** How far a loss's gradient is to be followed, as a graph of its own: it sees no network. */
import { GraphBuilder } from '../onnx/builder.ts';
import { defaultOpset, emptyGraph, type Graph } from '../onnx/graph.ts';
import type { Loss } from '../losses/loss.ts';
import { simplify } from '../simplify/simplify.ts';
import { crop, levelInputs, lossInputs, ports, type Placement } from './guided.ts';

/** A loss that tells it. */
export type Reaching = Loss & Required<Pick<Loss, 'reach'>>;

/**
 * From x̂₀, the gradient at x_t and the noise level to how far to go, `[N]`.
 * @param shape `[N,C,H,W]` of the canvas
 */
export function reachGraph(loss: Reaching, shape: readonly number[], placement: Placement): Graph {
  const b = new GraphBuilder(emptyGraph('reach', Math.max(loss.opset ?? 0, defaultOpset)));
  const at = {
    image: crop(b, b.input(ports.image, 'float32', shape), placement),
    gradient: crop(b, b.input(ports.gradient, 'float32', shape), placement),
  };
  const level = levelInputs(b);
  const parameters = lossInputs(b, loss, 0, shape[0] ?? 1);
  b.output(loss.reach(b, at, parameters, level), ports.reach);
  return simplify(b.graph);
}
