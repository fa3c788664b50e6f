/** Refusing nodes whose parameters are only known when the graph runs. */
import type { NodeView } from '../onnx/node-view.ts';

/** What a rule has against nodes that compute any of these inputs; absent ones are no obstacle. */
export function constantInputs(...slots: number[]): (v: NodeView) => string | undefined {
  return (v) => {
    const computed = slots.find((slot) => v.input(slot) && !v.initializer(slot));
    return computed === undefined ? undefined : `its input ${computed} is not a constant`;
  };
}
