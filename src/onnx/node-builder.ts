/** Appends constants and nodes to a graph, with the type of every value worked out at once. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema } from 'onnx-buf';
import { showShape } from '../tensor/tensor.ts';
import { makeAttributes, type Attributes } from './attributes.ts';
import type { DType } from './dtype.ts';
import { defaultOpset, emptyGraph, valueOf, type Graph, type Value } from './graph.ts';
import { inferTypes } from './infer/types.ts';
import { bytesOf, initializerFrom, type Initializer } from './initializer.ts';
import { typedArray } from './typed-array.ts';

type Input = Value | undefined;

/**
 * Appends to a graph. Values are checked and typed as they are made, so that a wrong shape is
 * reported where the node is written and not when a session loads.
 */
export class NodeBuilder {
  readonly graph: Graph;
  /** Prefix of the names of what is appended from here on, as a module path: `/encoder/conv`. */
  scope = '';
  readonly #constants = new Map<string, Value>();
  readonly #used = new Map<string, number>();
  readonly #around: NodeBuilder | undefined;

  /**
   * @param graph the graph to append to; a new, empty one of `defaultOpset` if left out
   * @param around where the graph is a node's body: the builder of the graph that it stands in
   */
  constructor(graph: Graph = emptyGraph('dsg', defaultOpset), around?: NodeBuilder) {
    this.graph = graph;
    this.#around = around;
  }

  input(name: string, dtype: DType, shape: readonly number[]): Value {
    const value = this.register({ name, dtype, shape });
    this.graph.inputs.push(value);
    return value;
  }

  /** Makes `value` an output, under `name` if one is given. */
  output(value: Value, name = value.name): Value {
    const out = name === value.name ? value : this.rename(value, name);
    this.graph.outputs.push(out);
    return out;
  }

  /** The same tensor under a name of the caller's choice. */
  rename(value: Value, name: string): Value {
    const out = this.register({ ...value, name });
    this.append('Identity', [value], [out], {}, name);
    return out;
  }

  /**
   * `value` under the name of one that is no longer made: the nodes that read it read `value`.
   * @throws Error if there is none of that name
   */
  replace(name: string, value: Value): Value {
    this.graph.values.delete(valueOf(this.graph, name).name);
    return this.rename(value, name);
  }

  /** A constant of weights or other bulk data, under its own name. */
  initializer(name: string, constant: Initializer): Value {
    const value = this.register({ name, dtype: constant.dtype, shape: constant.shape });
    this.graph.initializers.set(name, constant);
    return value;
  }

  /**
   * A small constant, shared by all who ask for the same one.
   * @param shape of the constant; a scalar for a number and `[length]` for a list if left out
   */
  constant(
    data: number | readonly number[] | Float32Array,
    dtype: DType = 'float32',
    shape?: readonly number[],
  ): Value {
    const list = typeof data === 'number' ? [data] : data;
    const dims = shape ?? (typeof data === 'number' ? [] : [list.length]);
    const array = typedArray(list, dtype);
    const key =
      list.length <= 64 ? `${dtype}${showShape(dims)}${[...bytesOf(array)].join()}` : undefined;
    const known = key && this.#constants.get(key);
    if (known) return known;
    const value = this.#around
      ? this.#borrow(this.#around.constant(data, dtype, shape), this.#around)
      : this.initializer(this.freeName('constant'), initializerFrom(dtype, dims, array));
    if (key) this.#constants.set(key, value);
    return value;
  }

  /** Bodies capture constants: ONNX Runtime cannot save those that they hold themselves. */
  #borrow(value: Value, { graph }: NodeBuilder): Value {
    const constant = graph.initializers.get(value.name) as Initializer;
    return this.graph.values.get(value.name) ?? this.initializer(value.name, constant);
  }

  /** Integers, as shapes, axes, pads and indices want them. */
  ints(data: number | readonly number[]): Value {
    return this.constant(data, 'int64');
  }

  /** A scalar of the element type of `like`. */
  scalar(value: number, like: Value): Value {
    return this.constant(value, like.dtype);
  }

  /** One node with one output. @throws Error where the operator's rule of shapes is broken */
  op(type: string, inputs: readonly Input[], attributes: Attributes = {}): Value {
    return this.ops(type, inputs, attributes, 1)[0] as Value;
  }

  /** One node with several outputs. */
  ops(type: string, inputs: readonly Input[], attributes: Attributes, outputs: number): Value[] {
    const name = this.freeName(`${this.scope}/${type}`);
    const node = { type, inputs, attributes, outputs, name: `${this.scope}/${type}` };
    const types = inferTypes(this.graph, node);
    const values = types.map((t, i) =>
      this.register({ ...t, name: outputs === 1 ? `${name}:0` : `${name}:${i}` }),
    );
    this.append(type, inputs, values, attributes, name);
    return values;
  }

  /** A node whose outputs' types are known. */
  protected append(
    type: string,
    inputs: readonly Input[],
    outputs: readonly Value[],
    attributes: Attributes,
    name: string,
  ): void {
    const names = inputs.map((v) => v?.name ?? '');
    while (names.at(-1) === '') names.pop();
    this.graph.nodes.push(
      create(NodeProtoSchema, {
        opType: type,
        name,
        input: names,
        output: outputs.map((v) => v.name),
        attribute: makeAttributes(attributes),
      }),
    );
  }

  /** Makes a value of the graph. */
  protected register(value: Value): Value {
    if (this.graph.values.has(value.name))
      throw new Error(`builder: two values are named '${value.name}'`);
    this.graph.values.set(value.name, value);
    return value;
  }

  /** The name, or the first of `name_1`, `name_2`, … that is not taken. */
  protected freeName(wanted: string): string {
    const count = this.#used.get(wanted) ?? 0;
    this.#used.set(wanted, count + 1);
    const name = count === 0 ? wanted : `${wanted}_${count}`;
    return this.graph.values.has(name) || this.graph.values.has(`${name}:0`)
      ? this.freeName(wanted)
      : name;
  }
}
