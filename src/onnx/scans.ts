/** Scans written out, a round for each slice: as they are they have shapes, and no gradient. */
import type { ModelProto, NodeProto } from 'onnx-buf';
import { intAttr, intsAttr } from './attributes.ts';
import { modelInput } from './dims.ts';
import { nodeName } from './node.ts';
import { opsetOf } from './read.ts';
import { bodyOf, inRounds, type Repeated } from './rounds.ts';

/**
 * The model with the Scans of its main graph written out that are of static length; those within them take
 * another call, as loops do. `model` itself if there are none.
 * @param types of what its nodes put out, as far as they are known
 */
export function unrollScans(
  model: ModelProto,
  types: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): ModelProto {
  const { graph } = model;
  // Before opset 9 they went over a batch of sequences.
  if ((opsetOf(model) ?? 0) < 9) return model;
  const sizes = (name: string): readonly (number | string)[] | undefined => {
    const input = graph?.input.find((v) => v.name === name);
    const constant = graph?.initializer.find((t) => t.name === name);
    if (input) return modelInput(input, name).shape;
    return constant?.dims.map(Number) ?? types.get(name)?.shape;
  };
  return inRounds(model, 'Scan', (scan) => scanned(scan, sizes));
}

/** What a Scan repeats, or undefined where the length of what it scans is not known. */
function scanned(
  node: NodeProto,
  sizes: (name: string) => readonly (number | string)[] | undefined,
): Repeated | undefined {
  const body = bodyOf(node);
  const states = node.input.length - intAttr(node, 'num_scan_inputs', 0);
  const way = (of: 'input' | 'output', i: number): { axis: number; backwards: boolean } => ({
    axis: intsAttr(node, `scan_${of}_axes`)?.[i] ?? 0,
    backwards: intsAttr(node, `scan_${of}_directions`)?.[i] === 1,
  });
  const slices = node.input.slice(states).map((from, i) => ({
    from,
    name: body?.input[states + i]?.name ?? '',
    ...way('input', i),
  }));
  const [first] = slices;
  const rounds = first && sizes(first.from)?.at(first.axis);
  if (!body || typeof rounds !== 'number') return undefined;
  const parts = slices.map(({ name }) =>
    Array.from({ length: rounds }, (_, k) => `${nodeName(node)}/slices/${name}/${k}`),
  );
  return {
    node,
    body,
    rounds,
    carried: node.input
      .slice(0, states)
      .map((start, i) => ({ name: body.input[i]?.name ?? '', start })),
    results: body.output.map((o) => o.name),
    stacks: node.output.slice(states).map((_, i) => way('output', i)),
    prepare: (out) =>
      slices.forEach(({ from, axis }, i) => {
        const sizes = new Array<number>(rounds).fill(1);
        out.told('Split', from, parts[i] as string[], ['split', sizes], { axis });
      }),
    given: (out, round, at) =>
      slices.map(({ name, axis, backwards }, i) => {
        const part = parts[i]?.at(backwards ? -1 - round : round) as string;
        const slice = `${at}/${name}`;
        out.told('Squeeze', part, [slice], ['axes', [axis]]);
        return [name, slice];
      }),
  };
}
