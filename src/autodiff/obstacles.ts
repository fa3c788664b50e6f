/** What stands between an output and its gradient. */
import type { NodeProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { isFloat } from '../onnx/dtype.ts';
import { valueOf, type Graph } from '../onnx/graph.ts';
import { NodeView } from '../onnx/node-view.ts';
import { nodeName } from '../onnx/node.ts';
import { showShape } from '../tensor/tensor.ts';
import type { Path } from './gradients.ts';
import { ruleFor } from './rules.ts';

export interface Obstacle {
  readonly operator: string;
  readonly opset: number;
  readonly node: string;
  /** Shapes of inputs and outputs, as `[1,3,64,64] -> [1,3,64,64]`. */
  readonly shapes: string;
  readonly reason: string;
}

/** Every node of a path that has no rule, or whose rule refuses it. */
export function obstacles(graph: Graph, path: Path): Obstacle[] {
  return path.nodes.flatMap((node) => {
    const reason = reasonAgainst(graph, path, node);
    return reason === undefined ? [] : [describe(graph, node, reason)];
  });
}

const controlFlow = new Set(['If', 'Loop', 'Scan']);

function reasonAgainst(graph: Graph, path: Path, node: NodeProto): string | undefined {
  const rule = node.domain === '' ? ruleFor(node.opType, graph.opset) : undefined;
  if (controlFlow.has(node.opType))
    return 'control flow: export the model with its branch or number of rounds fixed';
  if (!rule) return 'no gradient rule';
  const extra = node.output.findIndex((name, i) => i > 0 && path.values.has(name));
  if (extra > 0 && !rule.allOutputs) return `no gradient rule for its output ${extra}`;
  const unknown = node.input.findIndex(
    (name, slot) => path.values.has(name) && rule.slot(slot) === undefined,
  );
  if (unknown >= 0) return `no gradient rule for its input ${unknown}`;
  const quantized = node.input.some((name) => isRounded(graph, path, name));
  if (quantized && rule.integers !== 'passed') return 'no gradient rule for quantized values';
  return rule.refuse?.(new NodeView(graph, node));
}

/** Whether a value is on the path as an integer, which stands for the number that it was rounded from. */
function isRounded(graph: Graph, { values }: Path, name: string): boolean {
  return values.has(name) && !isFloat(valueOf(graph, name).dtype);
}

/** How many values on the path are. */
export function roundedCount(graph: Graph, path: Path): number {
  return [...path.values].filter((name) => isRounded(graph, path, name)).length;
}

function describe(graph: Graph, node: NodeProto, reason: string): Obstacle {
  const shape = (name: string): string => showShape(graph.values.get(name)?.shape ?? ['?']);
  const list = (names: readonly string[]): string => names.filter(Boolean).map(shape).join(' ');
  return {
    operator: node.domain ? `${node.domain}.${node.opType}` : node.opType,
    opset: graph.opset,
    node: nodeName(node),
    shapes: `${list(node.input)} -> ${list(node.output)}`,
    reason,
  };
}

/** One error for all of them, a line each. */
export function showObstacles(where: string, found: readonly Obstacle[]): UserError {
  const kinds = new Set(found.map((o) => o.operator)).size;
  const width = Math.max(...found.map((o) => o.operator.length));
  const lines = found.map(
    (o) =>
      `  ${o.operator.padEnd(width)}  opset ${o.opset}  node ${o.node}  ${o.shapes}  (${o.reason})`,
  );
  const own = found.some((o) => o.operator.startsWith('com.microsoft.'));
  return new UserError(
    `${where}: cannot differentiate ${kinds} operator${kinds === 1 ? '' : 's'}\n${lines.join('\n')}`,
    {
      hint: own
        ? "com.microsoft's operators are ONNX Runtime's own, which its optimizations leave; dsg knows those in docs/operators.md: take the model as it was exported"
        : '`dsg inspect MODEL` shows the whole path; docs/operators.md lists what has a gradient',
    },
  );
}
