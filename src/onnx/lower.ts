/** Operators written as others before ONNX Runtime resolves a model. */
import type { NodeProto } from 'onnx-buf';
import { floatAttr, intAttr } from './attributes.ts';
import { dropEmptySums } from './baddbmm.ts';
import { gpuOperators } from './fused/gpu.ts';
import { writeGroupNormalization } from './group-normalization.ts';
import type { Initializer } from './initializer.ts';
import { Lowering } from './lowering.ts';
import { unrollSequences } from './sequences.ts';

/**
 * Sequences become tensors, and sums with nothing vanish. GroupNormalization, which ONNX Runtime would
 * expand into dozens of nodes, is written as a few; so is what it has kernels for on GPUs alone, as it
 * resolves models on the CPU.
 */
export function lower(
  nodes: readonly NodeProto[],
  constants: Map<string, Initializer>,
  opset: number,
): NodeProto[] {
  const straight = dropEmptySums(unrollSequences(nodes, constants, opset), constants);
  return straight.flatMap((node) => {
    const write =
      node.domain === 'com.microsoft'
        ? gpuOperators[node.opType]
        : node.domain === '' && node.opType === 'GroupNormalization'
          ? groupNormalization
          : undefined;
    if (!write) return [node];
    const w = new Lowering(node, constants, opset);
    return write(w) === false ? [node] : w.nodes;
  });
}

function groupNormalization(w: Lowering): boolean {
  const [x, scale, bias] = [w.input(0), w.input(1), w.input(2)];
  const size = w.shapeOf(scale)?.[0];
  if (size === undefined) return false;
  const groups = intAttr(w.node, 'num_groups', 1);
  const epsilon = floatAttr(w.node, 'epsilon', 1e-5);
  // Scale is one number a group before opset 21, one a channel since.
  const perGroup = w.opset < 21;
  writeGroupNormalization(w, { x, scale, bias, groups, epsilon, perGroup }, size, w.output(0));
  return true;
}
