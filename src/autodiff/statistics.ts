/** Forward normalizations rewritten so that their statistics are there for the backward pass. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { floatAttr, makeAttributes } from '../onnx/attributes.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { valueOf, type Value } from '../onnx/graph.ts';
import { sizeOf } from '../tensor/tensor.ts';
import { isFilledWith, ones } from './derived.ts';

/**
 * Replaces every InstanceNormalization among `nodes` by LayerNormalization over its spatial axes,
 * followed by its scale and bias where they do anything.
 *
 * The two compute the same, but LayerNormalization can put out the inverse deviation, and without
 * scale and bias its output is x̂: all that the gradient needs. So nothing is computed twice, and
 * the input of the normalization, as large as x̂, need not be kept.
 */
export function exposeStatistics(b: GraphBuilder, nodes: ReadonlySet<NodeProto>): void {
  const old = b.graph.nodes.splice(0);
  const outer = b.scope;
  for (const node of old) {
    const x = b.graph.values.get(node.input[0] ?? '');
    if (node.opType === 'InstanceNormalization' && x?.dtype === 'float32' && nodes.has(node))
      asLayerNormalization(b, node, x);
    else b.graph.nodes.push(node);
  }
  b.scope = outer;
}

function asLayerNormalization(b: GraphBuilder, node: NodeProto, x: Value): void {
  const { graph } = b;
  const [, scale = '', bias = ''] = node.input;
  const y = valueOf(graph, node.output[0] ?? '');
  const column = [sizeOf(valueOf(graph, scale).shape), ...x.shape.slice(2).map(() => 1)];
  const plain =
    isFilledWith(graph.initializers.get(scale), 1) && isFilledWith(graph.initializers.get(bias), 0);
  const normal = plain ? y : { ...y, name: `${y.name}/normal` };
  graph.values.set(normal.name, normal);
  graph.nodes.push(
    create(NodeProtoSchema, {
      opType: 'LayerNormalization',
      name: node.name,
      input: [x.name, ones(b, x.shape.slice(2)).name],
      output: [normal.name],
      attribute: makeAttributes({ axis: 2, epsilon: floatAttr(node, 'epsilon', 1e-5) }),
    }),
  );
  if (plain) return;
  b.scope = node.name || y.name;
  const spread = (name: string): Value => b.reshape(valueOf(graph, name), column);
  const affine = b.add(b.mul(normal, spread(scale)), spread(bias));
  b.replace(y.name, affine);
}
