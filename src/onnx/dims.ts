/** Binding a model's symbolic dimensions to numbers. */
import type { ValueInfoProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { showShape } from '../tensor/tensor.ts';
import { dtypeOf, type DType } from './dtype.ts';

export interface ModelInput {
  readonly name: string;
  readonly dtype: DType;
  /** A number, the name of a symbolic dimension, or '' where the file gives neither. */
  readonly shape: readonly (number | string)[];
}

/** An output as the file declares it, which need not say its shape. */
export interface ModelOutput extends Omit<ModelInput, 'shape'> {
  readonly shape?: ModelInput['shape'];
}

export interface Bindings {
  /** Sizes by dimension name, or by `INPUT.AXIS` for a dimension without a name. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Whole shapes by input name; they bind the dimension names that occur in them. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
}

/** @throws UserError for an input that is not a tensor or has no rank */
export function modelInput(info: ValueInfoProto, where: string): ModelInput {
  const { shape, ...input } = modelOutput(info, where);
  if (!shape) throw new UserError(`${where}: '${info.name}' is not a tensor of known rank`);
  return { ...input, shape };
}

/** @throws UserError for an output that is not a tensor */
export function modelOutput(info: ValueInfoProto, where: string): ModelOutput {
  const type = info.type?.value;
  if (type?.case !== 'tensorType')
    throw new UserError(`${where}: '${info.name}' is not a tensor of known type`);
  const { elemType, shape } = type.value;
  return {
    name: info.name,
    dtype: dtypeOf(elemType, info.name),
    ...(shape && {
      shape: shape.dim.map(({ value: d }) =>
        d.case === 'dimValue' ? Number(d.value) : d.case === 'dimParam' ? d.value : '',
      ),
    }),
  };
}

/** `[N,3,?,?]`, where the file gives a name, a number or nothing. */
export function showDims({ shape }: Pick<ModelOutput, 'shape'>): string {
  return shape ? showShape(shape.map((d) => d || '?')) : 'of any shape';
}

/**
 * The static shape of every input.
 * @throws UserError naming every dimension that is still open, or that two bindings contradict
 */
export function bindShapes(
  inputs: readonly ModelInput[],
  { dims = {}, shapes = {} }: Bindings,
  where: string,
): Map<string, number[]> {
  const known = new Map(Object.entries(dims));
  for (const input of inputs) {
    const wanted = shapes[input.name];
    if (!wanted) continue;
    const fits =
      wanted.length === input.shape.length &&
      input.shape.every((d, i) => typeof d === 'string' || d === wanted[i]);
    if (!fits)
      throw new UserError(
        `${where}: input '${input.name}' is ${showShape(input.shape)}, not ${showShape(wanted)}`,
      );
    input.shape.forEach((d, i) => bind(known, dimName(input, d, i), wanted[i] as number, where));
  }
  const open: string[] = [];
  const bound = new Map<string, number[]>();
  for (const input of inputs) {
    const shape = input.shape.map((d, i) => {
      if (typeof d === 'number') return d;
      const size = known.get(dimName(input, d, i)) ?? known.get(`${input.name}.${i}`);
      if (size === undefined)
        open.push(`${dimName(input, d, i)} (input '${input.name}', axis ${i})`);
      return size ?? 0;
    });
    bound.set(input.name, shape);
  }
  const names = [...new Set(open.map((o) => o.split(' ')[0]))];
  if (open.length > 0)
    throw new UserError(`${where}: dimensions without a size: ${open.join(', ')}`, {
      hint: `give each a size: ${names.map((n) => `--dim ${n}=1`).join(' ')}`,
    });
  return bound;
}

function dimName(input: ModelInput, d: number | string, axis: number): string {
  return typeof d === 'string' && d !== '' ? d : `${input.name}.${axis}`;
}

function bind(known: Map<string, number>, name: string, size: number, where: string): void {
  const before = known.get(name);
  if (before !== undefined && before !== size)
    throw new UserError(`${where}: dimension '${name}' cannot be both ${before} and ${size}`);
  known.set(name, size);
}
