/**
 * Sequences of tensors, as PyTorch's dynamo exporter leaves them when it does not optimise: `chunk`
 * and `unbind` become SplitToSequence and SequenceAt; scripted lists grow by SequenceInsert. Written
 * as plain tensors here, since a sequence has no shape that could be resolved.
 */
import type { NodeProto } from 'onnx-buf';
import { hasAttr, intAttr, type Attributes } from './attributes.ts';
import { reads } from './graph.ts';
import { makeNode } from './node.ts';
import { initializerFrom, numbers, type Initializer } from './initializer.ts';

/** What is known of a sequence: its tensors by position, and how many where that is known. */
interface Sequence {
  readonly length?: number;
  readonly at: (index: number) => string;
}

/** The nodes without those that make and read sequences, as far as positions and sizes are constant. */
export function unrollSequences(
  nodes: readonly NodeProto[],
  constants: Map<string, Initializer>,
  opset: number,
): NodeProto[] {
  const out: NodeProto[] = [];
  const sequences = new Map<string, Sequence>();
  const integers = (name: string | undefined): number[] | undefined => {
    const constant = name ? constants.get(name) : undefined;
    return constant && numbers(constant);
  };
  const constant = (name: string, list: readonly number[], shape = [list.length]): string => {
    constants.set(name, initializerFrom('int64', shape, BigInt64Array.from(list.map(BigInt))));
    return name;
  };
  const emit = (
    opType: string,
    input: string[],
    output: string,
    attributes: Attributes = {},
  ): string => {
    out.push(makeNode(opType, input, output, attributes));
    return output;
  };

  /** The tensors of a SplitToSequence, each made when it is first asked for. */
  const split = (node: NodeProto): Sequence | undefined => {
    const [x = '', sizes] = node.input;
    const name = node.output[0] ?? '';
    const axis = intAttr(node, 'axis', 0);
    const given = integers(sizes);
    if (sizes && !given) return undefined;
    const scalar = sizes !== undefined && constants.get(sizes)?.shape.length === 0;
    const list = given && !scalar ? given : undefined;
    const size = given?.[0] ?? 1;
    const range = (i: number): [number, number] => {
      if (!list) return [i * size, (i + 1) * size];
      const start = list.slice(0, i).reduce((sum, n) => sum + n, 0);
      return [start, start + (list[i] ?? 0)];
    };
    const single = sizes === undefined && hasAttr(node, 'keepdims') && !intAttr(node, 'keepdims');
    const make = (i: number): string => {
      const part = `${name}/${i}`;
      if (single) return emit('Gather', [x, constant(`${part}/index`, [i], [])], part, { axis });
      const [start, end] = range(i);
      const bounds = { start, end, axis };
      const inputs = Object.entries(bounds).map(([key, v]) => constant(`${part}/${key}`, [v]));
      return emit('Slice', [x, ...inputs], part);
    };
    const made = new Map<number, string>();
    const at = (i: number): string => {
      const part = made.get(i) ?? make(i);
      made.set(i, part);
      return part;
    };
    return list ? { length: list.length, at } : { at };
  };

  /** Whether nodes on plain tensors now stand for this one. */
  const unrolled = (node: NodeProto): boolean => {
    const [first = '', second] = node.input;
    const output = node.output[0] ?? '';
    if (node.opType === 'SequenceConstruct') {
      const parts = [...node.input];
      sequences.set(output, { length: parts.length, at: (i) => parts[i] ?? '' });
      return false;
    }
    if (node.opType === 'SequenceEmpty') {
      sequences.set(output, { length: 0, at: () => '' });
      return false;
    }
    if (node.opType === 'SplitToSequence') {
      const made = split(node);
      if (made) sequences.set(output, made);
      return false;
    }
    const sequence = sequences.get(first);
    if (!sequence) return false;
    const { length, at } = sequence;
    switch (node.opType) {
      case 'SequenceAt': {
        const [index] = integers(second) ?? [];
        if (index === undefined || (index < 0 && length === undefined)) return false;
        emit('Identity', [at(index < 0 ? index + (length ?? 0) : index)], output);
        return true;
      }
      case 'Identity':
        sequences.set(output, sequence);
        return false;
      case 'SequenceInsert': {
        const [position] = node.input[2] ? (integers(node.input[2]) ?? []) : [length];
        if (length === undefined || position === undefined) return false;
        const place = position < 0 ? position + length : position;
        const parts = Array.from({ length }, (_, i) => at(i)).toSpliced(place, 0, second ?? '');
        sequences.set(output, { length: parts.length, at: (i) => parts[i] ?? '' });
        return false;
      }
      case 'SequenceLength': {
        if (length === undefined) return false;
        emit('Identity', [constant(`${output}/length`, [length], [])], output);
        return true;
      }
      case 'ConcatFromSequence': {
        const stacks = intAttr(node, 'new_axis', 0) !== 0;
        if (length === undefined || (stacks && opset < 13)) return false;
        const axis = intAttr(node, 'axis', 0);
        const parts = Array.from({ length }, (_, i) => at(i));
        const joined = stacks
          ? parts.map((part, i) => {
              const axes = constant(`${output}/${i}/axes`, [axis]);
              return emit('Unsqueeze', [part, axes], `${output}/${i}`);
            })
          : parts;
        emit('Concat', joined, output, { axis });
        return true;
      }
      default:
        return false;
    }
  };
  for (const node of nodes) if (node.domain !== '' || !unrolled(node)) out.push(node);
  return withoutUnread(out, sequences);
}

/** Backwards, since what makes a sequence may read another. */
function withoutUnread(
  nodes: readonly NodeProto[],
  sequences: ReadonlyMap<string, unknown>,
): NodeProto[] {
  const read = new Set<string>();
  return nodes
    .toReversed()
    .filter((node) => {
      const [made = ''] = node.output;
      const kept = !sequences.has(made) || read.has(made);
      if (kept) for (const name of reads(node)) read.add(name);
      return kept;
    })
    .toReversed();
}
