/** How far a loss's gradient is to be followed, as a graph of its own: it sees no network. */
import { GraphBuilder } from '../onnx/builder.ts';
import { defaultOpset, emptyGraph, type Graph } from '../onnx/graph.ts';
import type { Loss } from '../losses/loss.ts';
import { simplify } from '../simplify/simplify.ts';
import { crop, ports, type Placement } from './guided.ts';

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
  const level = {
    signal: b.input(ports.signal, 'float32', []),
    noise: b.input(ports.noise, 'float32', []),
  };
  const parameters = Object.entries(loss.parameters).map(
    ([name, p]) =>
      [
        name,
        b.input(ports.lossParameter(0, name), 'float32', [shape[0] ?? 1, ...p.shape]),
      ] as const,
  );
  b.output(loss.reach(b, at, Object.fromEntries(parameters), level), ports.reach);
  return simplify(b.graph);
}
