/** The form of a graph that a device computes rightly. */
import { NodeProtoSchema } from 'onnx-buf';
import { amend } from '../onnx/amend.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Device } from './device.ts';

/** The graph as the device is to be given it. */
export function formFor(device: Device, graph: Graph): Graph {
  return device === 'openvino' ? separateConstants(graph) : graph;
}

/**
 * The graph with a copy of each constant matrix or kernel for every node that reads it.
 *
 * OpenVINO (seen in 2026.4) packs the constant of a product or convolution once for each address and
 * packed form, and takes what it packed for one node for another's that wants it transposed: where x W
 * and x Wᵀ, or a Conv and a ConvTranspose of equally many channels, share W, the second comes out
 * wrong. That is what a backward pass consists of. Equal constants at addresses of their own are safe.
 */
function separateConstants(graph: Graph): Graph {
  const initializers = new Map(graph.initializers);
  const values = new Map(graph.values);
  const read = new Set<string>();
  const ownFor = (name: string): string => {
    const constant = graph.initializers.get(name);
    if (!constant || constant.shape.length < 2) return name;
    if (!read.has(name)) {
      read.add(name);
      return name;
    }
    let copy = `${name}/own`;
    for (let i = 1; values.has(copy); i++) copy = `${name}/own_${i}`;
    initializers.set(copy, constant);
    values.set(copy, { name: copy, dtype: constant.dtype, shape: constant.shape });
    return copy;
  };
  const nodes = graph.nodes.map((node) =>
    amend(NodeProtoSchema, node, { input: node.input.map(ownFor) }),
  );
  return { ...graph, nodes, initializers, values };
}
