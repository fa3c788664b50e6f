/**
 * Operators of com.microsoft, written as standard ones. ONNX Runtime's optimizers, its quantizers and
 * Olive leave them in a file: several steps of the network in one, which only ONNX Runtime knows.
 * What each computes is in its schema, docs/ContribOperators.md of that project.
 */
import type { NodeProto } from 'onnx-buf';
import { GraphBuilder } from '../builder.ts';
import type { Graph } from '../graph.ts';
import { NodeView } from '../node-view.ts';
import { rewriteNodes } from '../rewrite.ts';
import { activations } from './activations.ts';
import { attention } from './attention.ts';
import { earlier } from './earlier.ts';
import { normalizations } from './normalizations.ts';
import { packed } from './packed.ts';
import { products } from './products.ts';
import { quantized } from './quantized.ts';
import { rotary } from './rotary.ts';
import type { Standard } from './standard.ts';

const microsoft: Readonly<Record<string, Standard>> = {
  ...activations,
  ...products,
  ...packed,
  ...quantized,
  ...normalizations,
  ...attention,
  ...rotary,
  ...earlier,
};

/** Operators that are ONNX Runtime's own though they have no domain. */
const withoutDomain = new Set(['SimplifiedLayerNormalization']);

/** Every operator that can be written so. */
export const fusedOperators: readonly string[] = Object.keys(microsoft).sort();

function standardOf({ domain, opType }: NodeProto): Standard | undefined {
  const own = domain === 'com.microsoft' || (domain === '' && withoutDomain.has(opType));
  return own ? microsoft[opType] : undefined;
}

/**
 * The same graph without such operators, as far as they are known; `graph` itself where there are none.
 * The others stay, for ONNX Runtime to run and for differentiation to name.
 * @param graph of operator set 17 or newer
 */
export function standardize(graph: Graph): Graph {
  if (!graph.nodes.some(standardOf)) return graph;
  const b = new GraphBuilder(graph);
  rewriteNodes(b, (node) => standardOf(node)?.(b, new NodeView(graph, node)));
  return graph;
}
