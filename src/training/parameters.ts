/** Which constants of a model are weights to be trained, and how they lie in one vector. */
import { isFilledWith } from '../autodiff/derived.ts';
import { UserError } from '../errors.ts';
import { collectConstants } from '../onnx/constants.ts';
import { float32Values, type Initializer } from '../onnx/initializer.ts';
import type { OnnxModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { sizeOf } from '../tensor/tensor.ts';

/** Operators with weights, by the slots that take them. */
const weightSlots: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  Einsum: [0, 1, 2],
  Gather: [0],
  BatchNormalization: [1, 2],
  GroupNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  RMSNormalization: [1],
  PRelu: [1],
};
/** Their constant operand is a weight where the other one is something that the network learned of. */
const mixing = new Set(['Add', 'Sub', 'Mul', 'Div', 'Concat']);
/** What they make of a constant is still that constant. */
const rearranging = new Set(
  'Cast Expand Flatten Identity Reshape Slice Split Squeeze Transpose Unsqueeze'.split(' '),
);

/**
 * The weights of a model by name: float32 constants that a layer multiplies or adds, as far as
 * operators tell. Frequencies of a timestep's sines, scalars, and the ones and zeros of a
 * normalization whose affine map comes after it are none.
 * @throws UserError if there are none, or nodes are hidden in functions
 */
export function parametersOf(model: OnnxModel): Map<string, Initializer> {
  const graph = model.proto.graph;
  if (!graph || model.proto.functions.length > 0)
    throw new UserError(
      `${model.where}: its nodes are inside functions, so weights cannot be told`,
      {
        hint: 'export it with functions inlined',
      },
    );
  const { constants, nodes } = collectConstants(model, graph);
  /** The constant that a value is an arrangement of. */
  const origin = new Map<string, string>();
  for (const [name, { dtype }] of constants) if (dtype === 'float32') origin.set(name, name);
  /** Values that follow from the image or from a weight. */
  const learned = new Set(
    modelInputs(model).flatMap(({ name, shape }) => (shape.length >= 2 ? [name] : [])),
  );
  const found = new Set<string>();
  for (const { opType, input, output } of nodes) {
    if (opType === 'Shape' || opType === 'Size') continue;
    const depends = input.some((name) => learned.has(name));
    const [first = ''] = input;
    const source = origin.get(first);
    const plain = (name: string): boolean => {
      const constant = constants.get(name) as Initializer;
      if (opType === 'InstanceNormalization')
        return isFilledWith(constant, 0) || isFilledWith(constant, 1);
      return mixing.has(opType) && sizeOf(constant.shape) === 1;
    };
    const slots = weightSlots[opType] ?? (mixing.has(opType) && depends ? [...input.keys()] : []);
    const weights = slots.flatMap((slot) => origin.get(input[slot] ?? '') ?? []);
    for (const name of weights) if (!plain(name)) found.add(name);
    if (depends || weights.length > 0) for (const name of output) learned.add(name);
    else if (rearranging.has(opType) && source) for (const name of output) origin.set(name, source);
  }
  if (found.size === 0)
    throw new UserError(`${model.where}: the model has no float32 weights to train`);
  return new Map([...constants].filter(([name]) => found.has(name)));
}

/** Weights one after the other in a vector. */
export interface Layout {
  readonly entries: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** Length of the vector. */
  readonly size: number;
}

export function layoutOf(parameters: ReadonlyMap<string, Initializer>): Layout {
  const entries = [...parameters].map(([name, { shape }]) => ({ name, shape }));
  return { entries, size: entries.reduce((n, { shape }) => n + sizeOf(shape), 0) };
}

/** The values of weights in the order of a layout. */
export function packed(parameters: ReadonlyMap<string, Initializer>): Float32Array {
  const { size } = layoutOf(parameters);
  const vector = new Float32Array(size);
  let at = 0;
  for (const weight of parameters.values()) {
    vector.set(float32Values(weight), at);
    at += sizeOf(weight.shape);
  }
  return vector;
}
