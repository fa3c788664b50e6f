/** A node of a graph, as what rewrites or differentiates it sees it. */
import type { NodeProto } from 'onnx-buf';
import { constantNumbers, type Graph, type Value } from './graph.ts';
import type { Initializer } from './initializer.ts';

/** A node with the values that it reads and gives. */
export class NodeView {
  readonly node: NodeProto;
  readonly graph: Graph;

  constructor(graph: Graph, node: NodeProto) {
    this.graph = graph;
    this.node = node;
  }

  /** An input by slot; undefined where it is optional and absent. */
  input(slot: number): Value | undefined {
    return this.graph.values.get(this.node.input[slot] ?? '');
  }
  /** First input. */
  get x(): Value {
    return this.present(this.input(0), 'input 0');
  }
  /** Second input. */
  get w(): Value {
    return this.present(this.input(1), 'input 1');
  }
  /** First output. */
  get y(): Value {
    return this.present(this.graph.values.get(this.node.output[0] ?? ''), 'output 0');
  }
  /** The numbers of a constant input, undefined where it is absent or computed. */
  constant(slot: number): number[] | undefined {
    return constantNumbers(this.graph, this.node.input[slot]);
  }
  /** A constant input with its bytes still unread. */
  initializer(slot: number): Initializer | undefined {
    return this.graph.initializers.get(this.node.input[slot] ?? '');
  }
  protected present(value: Value | undefined, what: string): Value {
    if (!value) throw new Error(`${this.node.opType} ${this.node.name}: ${what} is missing`);
    return value;
  }
}
