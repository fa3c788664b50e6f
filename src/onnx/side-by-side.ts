/** A network of a fixed batch for several such batches: as many copies of it, with one set of weights. */
import { GraphBuilder } from './builder.ts';
import { emptyGraph, type Graph, type Value } from './graph.ts';
import { inline } from './inline.ts';

/**
 * The network with the batches of its inputs one after the other, and so those of its outputs.
 * @param network resolved, its batch the first axis of those inputs and of every output
 * @param apart the inputs that each copy has its own part of; all share the others
 * @throws RangeError for an input that there is not
 */
export function sideBySide(network: Graph, count: number, apart: ReadonlySet<string>): Graph {
  for (const name of apart)
    if (!network.inputs.some((i) => i.name === name)) throw new RangeError(`no input '${name}'`);
  const b = new GraphBuilder(emptyGraph(network.name, network.opset));
  const given = new Map<string, readonly Value[]>();
  for (const { name, dtype, shape } of network.inputs) {
    const [n = 1, ...rest] = shape;
    const all = b.input(name, dtype, apart.has(name) ? [count * n, ...rest] : shape);
    const parts = apart.has(name) ? b.parts(all, count, 0) : Array<Value>(count).fill(all);
    given.set(name, parts);
  }
  const copies = Array.from({ length: count }, (_, i) => {
    const inputs = [...given].map(([name, parts]) => [name, parts[i] as Value]);
    return inline(b, network, Object.fromEntries(inputs), '/copy');
  });
  for (const { name } of network.outputs) {
    const parts = copies.map((copy) => copy.get(name) as Value);
    b.output(b.op('Concat', parts, { axis: 0 }), name);
  }
  return b.graph;
}
