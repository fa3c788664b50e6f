/** A model's graph together with its vector-Jacobian product. */
import { NodeProtoSchema } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { amend } from '../onnx/amend.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { isFloat } from '../onnx/dtype.ts';
import { freeName, type Graph, type Value } from '../onnx/graph.ts';

import { simplify } from '../simplify/simplify.ts';
import { gradients, type GradientOptions } from './gradients.ts';

export interface DifferentiateOptions extends GradientOptions {
  /** The output to differentiate; the only one if left out. */
  readonly output?: string;
  /** The input to differentiate with respect to; the first float input if left out. */
  readonly wrt?: string;
}

/**
 * The graph with its own inputs and outputs, one more input `OUTPUT.cotangent` of the output's
 * shape, and one more output `WRT.gradient` of the input's shape; `_1` follows a name that is taken,
 * as in second derivatives.
 * @throws UserError for an unknown name, no path, or operators without a rule
 */
export function differentiate(graph: Graph, options: DifferentiateOptions = {}): Graph {
  const output = chooseOutput(graph, options.output);
  const wrt = chooseInput(graph, options.wrt);
  const b = new GraphBuilder(copyOf(graph));
  const cotangent = b.input(
    freeName(graph.values, `${output.name}.cotangent`),
    output.dtype,
    output.shape,
  );
  const found = gradients(b, new Map([[output.name, cotangent]]), [wrt.name], options);
  b.output(found.get(wrt.name) as Value, freeName(graph.values, `${wrt.name}.gradient`));
  return simplify(b.graph);
}

/** A copy that can be appended to; weights and their bytes are shared. */
export function copyOf(graph: Graph): Graph {
  return {
    ...graph,
    inputs: [...graph.inputs],
    outputs: [...graph.outputs],
    nodes: graph.nodes.map((n) => amend(NodeProtoSchema, n, { output: [...n.output] })),
    initializers: new Map(graph.initializers),
    values: new Map(graph.values),
  };
}

function chooseOutput(graph: Graph, name: string | undefined): Value {
  const names = graph.outputs.map((o) => o.name).join(', ');
  if (name === undefined && graph.outputs.length !== 1)
    throw new UserError(`${graph.name}: the model has ${graph.outputs.length} outputs: ${names}`, {
      hint: 'choose one with --output NAME',
    });
  const output = name === undefined ? graph.outputs[0] : graph.outputs.find((o) => o.name === name);
  if (!output) throw new UserError(`${graph.name}: no output '${name}'; there are: ${names}`);
  return output;
}

function chooseInput(graph: Graph, name: string | undefined): Value {
  const names = graph.inputs.map((i) => `${i.name} (${i.dtype})`).join(', ');
  const input = graph.inputs.find((i) => (name === undefined ? isFloat(i.dtype) : i.name === name));
  if (!input)
    throw new UserError(
      `${graph.name}: no ${name === undefined ? 'float input' : `input '${name}'`}; there are: ${names}`,
    );
  if (!isFloat(input.dtype))
    throw new UserError(
      `${graph.name}: input '${input.name}' is ${input.dtype}; gradients exist for float inputs only`,
    );
  return input;
}
