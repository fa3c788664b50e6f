/** Hands out the weights of a state dict to a network that says what it expects. */
import { UserError } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { isFloat } from '../onnx/dtype.ts';
import { bytesOf, float32Values, type Initializer } from '../onnx/initializer.ts';
import { sameShape, showShape, sizeOf } from '../tensor/tensor.ts';
import type { StateDict } from './state.ts';

export interface Weights {
  /** Whether the state dict has any tensor of that name. */
  has(name: string): boolean;
  /**
   * The weight as a float32 constant of the graph under its own name. What is missing or of
   * another shape is put down, and stood in for, so that `finish` can name everything at once.
   * @param shape what the checkpoint must hold; @param as the shape in the graph, if another
   */
  take(name: string, shape: readonly number[], as?: readonly number[]): Value;
  /**
   * @throws UserError naming the tensors that are missing, unexpected, of another shape or type,
   * or hold a number that is not finite
   */
  finish(): void;
}

/** How many names a message lists. */
const mostNamed = 8;

export function weightsOf(b: GraphBuilder, state: StateDict, where: string): Weights {
  const taken = new Map<string, Initializer>();
  const missing: string[] = [];
  const wrong: string[] = [];
  return {
    has: (name) => state.has(name),
    take(name, shape, as = shape) {
      const found = state.get(name);
      if (!found) missing.push(`${name} ${showShape(shape)}`);
      else if (!sameShape(found.shape, shape) || !isFloat(found.dtype))
        wrong.push(
          `${name} is ${found.dtype} ${showShape(found.shape)}, expected ${showShape(shape)}`,
        );
      const constant = inFloat32(found ?? absent(shape));
      if (found) taken.set(name, constant);
      return b.initializer(name, { ...constant, shape: as });
    },
    finish() {
      const unexpected = [...state]
        .filter(([name]) => !taken.has(name))
        .map(([name, { shape }]) => `${name} ${showShape(shape)}`);
      const parts = [named('missing', missing), named('of another shape', wrong)];
      if (missing.length + wrong.length + unexpected.length > 0)
        throw new UserError(
          `${where}: the weights are not those of the network that their names and shapes say:${[...parts, named('unexpected', unexpected)].join('')}`,
          { hint: 'the checkpoint is incomplete, or of a variant that is not supported' },
        );
      const infinite = [...taken].filter(([, t]) => !isFinite(t)).map(([name]) => name);
      if (infinite.length > 0)
        throw new UserError(
          `${where}: weights with NaN or infinite values:${named('not finite', infinite)}`,
          { hint: 'the training diverged, or the file is damaged' },
        );
    },
  };
}

function named(what: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const more = names.length > mostNamed ? `\n    and ${names.length - mostNamed} more` : '';
  return `\n  ${what}:${names
    .slice(0, mostNamed)
    .map((n) => `\n    ${n}`)
    .join('')}${more}`;
}

const absent = (shape: readonly number[]): Initializer => ({
  dtype: 'float32',
  shape,
  bytes: () => new Uint8Array(4 * sizeOf(shape)),
});

function inFloat32(t: Initializer): Initializer {
  if (t.dtype === 'float32') return t;
  return { dtype: 'float32', shape: t.shape, bytes: () => bytesOf(float32Values(t)) };
}

/** In IEEE 754 an exponent of all ones is an infinity or no number. */
function isFinite(t: Initializer): boolean {
  const bytes = t.bytes();
  const bits = new Uint32Array(bytes.buffer, bytes.byteOffset, sizeOf(t.shape));
  const exponent = 0x7f800000;
  for (let i = 0; i < bits.length; i++)
    if (((bits[i] as number) & exponent) === exponent) return false;
  return true;
}
