/** Runs a graph once on ONNX Runtime. */
import type { Graph } from '../../src/onnx/graph.ts';
import { openGraph } from '../../src/session/session.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

export async function runGraph(
  graph: Graph,
  feeds: Record<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const session = await openGraph(graph, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
