/** Writes what stands for a node before anything is known of the shapes around it. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { makeAttributes, type Attributes } from './attributes.ts';
import { initializerFrom, type Initializer } from './initializer.ts';
import { nodeName } from './node.ts';

/** Nodes and constants called after the first output of the node that they stand for. */
export class Lowering {
  readonly nodes: NodeProto[] = [];
  readonly node: NodeProto;
  readonly opset: number;
  readonly #constants: Map<string, Initializer>;

  /** @param constants those of the graph, to which more are added */
  constructor(node: NodeProto, constants: Map<string, Initializer>, opset: number) {
    this.node = node;
    this.opset = opset;
    this.#constants = constants;
  }

  /** The name of an input; empty where it is left out. */
  input(slot: number): string {
    return this.node.input[slot] ?? '';
  }
  output(slot: number): string {
    return this.node.output[slot] ?? '';
  }
  /** The shape of a constant, undefined for what is computed. */
  shapeOf(name: string): readonly number[] | undefined {
    return this.#constants.get(name)?.shape;
  }

  /** A value that only this node has. */
  own(part: string): string {
    return `${this.output(0) || this.node.name}/${part}`;
  }
  ints(part: string, list: readonly number[]): string {
    const data = BigInt64Array.from(list.map(BigInt));
    this.#constants.set(this.own(part), initializerFrom('int64', [list.length], data));
    return this.own(part);
  }
  floats(part: string, list: readonly number[]): string {
    const data = Float32Array.from(list);
    this.#constants.set(this.own(part), initializerFrom('float32', [list.length], data));
    return this.own(part);
  }

  /** A node that gives `output`. @returns `output` */
  emit(
    opType: string,
    input: readonly string[],
    output: string,
    attributes: Attributes = {},
    domain = '',
  ): string {
    this.emitAll(opType, input, [output], attributes, domain);
    return output;
  }
  emitAll(
    opType: string,
    input: readonly string[],
    output: readonly string[],
    attributes: Attributes = {},
    domain = '',
  ): void {
    this.nodes.push(
      create(NodeProtoSchema, {
        opType,
        domain,
        name: `${nodeName(this.node)}/${opType}.${this.nodes.length}`,
        input: [...input],
        output: [...output],
        attribute: makeAttributes(attributes),
      }),
    );
  }
}
