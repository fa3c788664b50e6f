/** What a loss is: a scalar of x̂₀ for each image, as an ONNX subgraph. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface Loss {
  /** Losses of the same signature differ in their parameters only, and share one graph. */
  readonly signature: string;
  /** What differs from image to image, without the batch axis: fed to the graph, not part of it. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /**
   * Appends the loss of each image.
   * @param image `[N,C,H,W]` in [-1,1]
   * @param parameters `[N,...]`, one for each of `parameters`
   * @returns `[N]`; images must not mix, so that the gradient of the sum is each image's own
   */
  value(b: GraphBuilder, image: Value, parameters: Readonly<Record<string, Value>>): Value;
}
