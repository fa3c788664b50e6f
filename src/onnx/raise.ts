/** Brings typed graphs of operator set 17 or newer to a set that is newer still. */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { amend } from './amend.ts';
import { intAttr, stringAttr } from './attributes.ts';
import { changeBodies } from './bodies.ts';
import { GraphBuilder } from './builder.ts';
import {
  changing,
  withAttributes,
  withListInput,
  without,
  wordOfResize,
  type Change,
} from './forms.ts';
import type { Graph } from './graph.ts';

/** What changed its form after opset 17, and what it is since that set. */
const newer: readonly Change[] = [
  [18, /^Reduce/, (node, b) => withListInput(node, b, 'axes')],
  [18, /^Split$/, withOutputCount],
  [20, /^GridSample$/, withInterpolationNamed],
  [20, /^DFT$/, withAxisOfDft],
];

/**
 * The same graph in a newer operator set, so that it can be a part of a graph of that set.
 * Of what came after opset 17, most is new operators and types; what changed is changed here.
 * @param graph of opset 17 or newer
 * @returns `graph` itself if it is of that set or a newer one
 */
export function raiseOpset(graph: Graph, opset: number): Graph {
  if (graph.opset >= opset) return graph;
  const { initializers, values } = graph;
  const empty = { nodes: [], initializers: new Map(initializers), values: new Map(values) };
  const b = new GraphBuilder({ ...graph, ...empty, opset });
  const due = newer.filter(([since]) => since > graph.opset && since <= opset);
  const raised = changing(due, b);
  for (const node of graph.nodes) b.graph.nodes.push(changeBodies(raised(node), raised));
  return b.graph;
}

/** Equal parts are since then to be asked for by their number. */
function withOutputCount(node: NodeProto): NodeProto {
  return node.input[1] ? node : withAttributes(node, { num_outputs: node.output.length });
}

/** The axis, which was 1 where nothing was said, is an input since then. */
function withAxisOfDft(node: NodeProto, b: GraphBuilder): NodeProto {
  const [x = '', length = ''] = node.input;
  const axis = b.ints(intAttr(node, 'axis', 1)).name;
  return amend(NodeProtoSchema, without(node, 'axis'), { input: [x, length, axis] });
}

/** The words for interpolation, which are those of Resize since then. */
function withInterpolationNamed(node: NodeProto): NodeProto {
  const mode = wordOfResize(stringAttr(node, 'mode', 'bilinear'));
  return withAttributes(without(node, 'mode'), { mode });
}
