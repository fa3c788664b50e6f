/** Builds graphs: the operations that nearly every caller needs, spelled as arithmetic. */
import { sameShape } from '../tensor/tensor.ts';
import { dtypes, type DType } from './dtype.ts';
import { emptyGraph, valueOf, type Value } from './graph.ts';
import { NodeBuilder } from './node-builder.ts';
import { graphToProto, valueInfo } from './proto.ts';

/** Appends to a graph: any node by `op` and `ops`, the frequent ones by their own names. */
export class GraphBuilder extends NodeBuilder {
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
  /** Every matrix `[...,n,m]` transposed. */
  swapLast(x: Value): Value {
    const last = x.shape.length - 1;
    return this.transpose(x, [...x.shape.keys()].with(last, last - 1).with(last - 1, last));
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

  /** As many equal parts along an axis. */
  parts(x: Value, count: number, axis: number): Value[] {
    return this.split(x, new Array<number>(count).fill((x.shape[axis] as number) / count), axis);
  }

  /**
   * Applies `body` to each slice along the first axis of the inputs, one after the other, and
   * stacks its results (Scan).
   */
  scan(inputs: readonly Value[], body: (b: GraphBuilder, slices: Value[]) => Value[]): Value[] {
    const name = this.freeName(`${this.scope}/Scan`);
    const count = inputs[0]?.shape[0] ?? 0;
    const inner = new GraphBuilder(emptyGraph(name, this.graph.opset), this);
    inner.scope = name;
    const slices = inputs.map(({ dtype, shape }, i) =>
      inner.input(`${name}/slice.${i}`, dtype, shape.slice(1)),
    );
    const results = body(inner, slices).map((value) => inner.output(value));
    const outputs = results.map(({ dtype, shape }, i) =>
      this.register({ name: `${name}:${i}`, dtype, shape: [count, ...shape] }),
    );
    const captured = graphToProto({ ...inner.graph, initializers: new Map() });
    const made = new Set(captured.node.flatMap((n) => n.output));
    for (const { name: output } of inner.graph.outputs) made.delete(output);
    captured.valueInfo = [...made].map((value) => valueInfo(valueOf(inner.graph, value)));
    const attributes = { body: captured, num_scan_inputs: inputs.length };
    this.append('Scan', inputs, outputs, attributes, name);
    return outputs;
  }
}
