/** Builds graphs node by node, with the type of every value worked out at once. */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema } from 'onnx-buf';
import { sameShape, showShape } from '../tensor/tensor.ts';
import { makeAttributes, type Attributes } from './attributes.ts';
import { dtypes, type DType } from './dtype.ts';
import { constantNumbers, emptyGraph, valueOf, type Graph, type Value } from './graph.ts';
import { attention } from './infer/attention.ts';
import { elementwise } from './infer/elementwise.ts';
import type { Infer, TensorType } from './infer/infer.ts';
import { linear } from './infer/linear.ts';
import { movement } from './infer/movement.ts';
import { reduction } from './infer/reduction.ts';
import { bytesOf, initializerFrom, type Initializer } from './initializer.ts';
import { graphToProto, valueInfo } from './proto.ts';
import { Float16Array } from '@petamoriken/float16';

const inference: Record<string, Infer> = {
  ...elementwise,
  ...movement,
  ...reduction,
  ...linear,
  ...attention,
};

/** The operator set of graphs built from nothing: the newest that every provider's kernels match. */
export const defaultOpset = 17;

type Input = Value | undefined;

/**
 * Appends to a graph. Values are checked and typed as they are made, so that a wrong shape is
 * reported where the node is written and not when a session loads.
 */
export class GraphBuilder {
  readonly graph: Graph;
  /** Prefix of the names of what is appended from here on, as a module path: `/encoder/conv`. */
  scope = '';
  readonly #constants = new Map<string, Value>();
  readonly #used = new Map<string, number>();

  readonly #around: GraphBuilder | undefined;

  /**
   * @param graph the graph to append to; a new, empty one of `defaultOpset` if left out
   * @param around where the graph is a node's body: the builder of the graph that it stands in
   */
  constructor(graph: Graph = emptyGraph('dsg', defaultOpset), around?: GraphBuilder) {
    this.graph = graph;
    this.#around = around;
  }

  input(name: string, dtype: DType, shape: readonly number[]): Value {
    const value = this.#add({ name, dtype, shape });
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
    const out = this.#add({ ...value, name });
    this.#push('Identity', [value], [out], {}, name);
    return out;
  }

  /** A constant of weights or other bulk data, under its own name. */
  initializer(name: string, constant: Initializer): Value {
    const value = this.#add({ name, dtype: constant.dtype, shape: constant.shape });
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
      : this.initializer(this.#unique('constant'), initializerFrom(dtype, dims, array));
    if (key) this.#constants.set(key, value);
    return value;
  }

  /** Bodies capture constants: ONNX Runtime cannot save those that they hold themselves. */
  #borrow(value: Value, { graph }: GraphBuilder): Value {
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
    const name = this.#unique(`${this.scope}/${type}`);
    const types = this.#infer(type, inputs, attributes, outputs);
    const values = types.map((t, i) =>
      this.#add({ ...t, name: outputs === 1 ? `${name}:0` : `${name}:${i}` }),
    );
    this.#push(type, inputs, values, attributes, name);
    return values;
  }

  /**
   * Applies `body` to each slice along the first axis of the inputs, one after the other, and
   * stacks its results (Scan).
   */
  scan(inputs: readonly Value[], body: (b: GraphBuilder, slices: Value[]) => Value[]): Value[] {
    const name = this.#unique(`${this.scope}/Scan`);
    const count = inputs[0]?.shape[0] ?? 0;
    const inner = new GraphBuilder(emptyGraph(name, this.graph.opset), this);
    inner.scope = name;
    const slices = inputs.map(({ dtype, shape }, i) =>
      inner.input(`${name}/slice.${i}`, dtype, shape.slice(1)),
    );
    const results = body(inner, slices).map((value) => inner.output(value));
    const outputs = results.map(({ dtype, shape }, i) =>
      this.#add({ name: `${name}:${i}`, dtype, shape: [count, ...shape] }),
    );
    const captured = graphToProto({ ...inner.graph, initializers: new Map() });
    const made = new Set(captured.node.flatMap((n) => n.output));
    for (const { name: output } of inner.graph.outputs) made.delete(output);
    captured.valueInfo = [...made].map((value) => valueInfo(valueOf(inner.graph, value)));
    const attributes = { body: captured, num_scan_inputs: inputs.length };
    this.#push('Scan', inputs, outputs, attributes, name);
    return outputs;
  }

  #infer(
    type: string,
    inputs: readonly Input[],
    attributes: Attributes,
    outputs: number,
  ): readonly TensorType[] {
    const infer = inference[type];
    if (!infer) throw new Error(`builder: no shape rule for operator ${type}`);
    const constant = (slot: number): number[] | undefined => {
      const input = inputs[slot];
      if (!input) return undefined;
      const numbers = constantNumbers(this.graph, input.name);
      if (!numbers) throw new RangeError(`input ${slot} (${input.name}) is not a constant`);
      return numbers;
    };
    try {
      return infer({ inputs, attributes, outputs, opset: this.graph.opset, constant });
    } catch (cause) {
      const shapes = inputs.map((v) => (v ? showShape(v.shape) : '-')).join(' ');
      throw new Error(`builder: ${this.scope}/${type} of ${shapes}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  #push(
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

  #add(value: Value): Value {
    if (this.graph.values.has(value.name))
      throw new Error(`builder: two values are named '${value.name}'`);
    this.graph.values.set(value.name, value);
    return value;
  }

  #unique(wanted: string): string {
    const count = this.#used.get(wanted) ?? 0;
    this.#used.set(wanted, count + 1);
    const name = count === 0 ? wanted : `${wanted}_${count}`;
    return this.graph.values.has(name) || this.graph.values.has(`${name}:0`)
      ? this.#unique(wanted)
      : name;
  }

  // The operations that nearly every caller needs, spelled as arithmetic.

  add(a: Value, b: Value): Value {
    return this.op('Add', [a, b]);
  }
  sub(a: Value, b: Value): Value {
    return this.op('Sub', [a, b]);
  }
  mul(a: Value, b: Value): Value {
    return this.op('Mul', [a, b]);
  }
  div(a: Value, b: Value): Value {
    return this.op('Div', [a, b]);
  }
  neg(x: Value): Value {
    return this.op('Neg', [x]);
  }
  matMul(a: Value, b: Value): Value {
    return this.op('MatMul', [a, b]);
  }
  /** `x` times a number. */
  scale(x: Value, factor: number): Value {
    return factor === 1 ? x : this.mul(x, this.scalar(factor, x));
  }
  cast(x: Value, dtype: DType): Value {
    return x.dtype === dtype ? x : this.op('Cast', [x], { to: dtypes[dtype].code });
  }
  reshape(x: Value, shape: readonly number[]): Value {
    // Dimensions of 0 would be read as "copy", so an empty tensor needs allowzero.
    const attributes = shape.includes(0) ? { allowzero: 1 } : {};
    return sameShape(x.shape, shape) ? x : this.op('Reshape', [x, this.ints(shape)], attributes);
  }
  transpose(x: Value, perm: readonly number[]): Value {
    return perm.every((p, i) => p === i) ? x : this.op('Transpose', [x], { perm });
  }
  expand(x: Value, shape: readonly number[]): Value {
    return sameShape(x.shape, shape) ? x : this.op('Expand', [x, this.ints(shape)]);
  }
  zeros(like: { dtype: DType; shape: readonly number[] }): Value {
    return this.expand(
      this.constant(
        0,
        like.dtype,
        like.shape.map(() => 1),
      ),
      like.shape,
    );
  }
  /** A reduction over `axes`, written as the graph's operator set wants it. */
  reduce(kind: string, x: Value, axes: readonly number[], keepdims = true): Value {
    const type = `Reduce${kind}`;
    const asInput = type === 'ReduceSum' || this.graph.opset >= 18;
    return asInput
      ? this.op(type, [x, this.ints(axes)], { keepdims: Number(keepdims) })
      : this.op(type, [x], { axes, keepdims: Number(keepdims) });
  }
  split(x: Value, sizes: readonly number[], axis: number): Value[] {
    return sizes.length === 1
      ? [x]
      : this.ops('Split', [x, this.ints(sizes)], { axis }, sizes.length);
  }
}

/** Numbers as an array of an element type, from which a constant is made. */
export function typedArray(list: readonly number[] | Float32Array, dtype: DType): ArrayBufferView {
  switch (dtype) {
    case 'float32':
      return list instanceof Float32Array ? list : Float32Array.from(list);
    case 'float64':
      return Float64Array.from(list);
    case 'float16':
      return Float16Array.from(list);
    case 'int64':
      return BigInt64Array.from(Array.from(list, BigInt));
    case 'int32':
      return Int32Array.from(list);
    case 'bool':
    case 'uint8':
      return Uint8Array.from(list);
    default:
      throw new Error(`builder: no constants of ${dtype}`);
  }
}
