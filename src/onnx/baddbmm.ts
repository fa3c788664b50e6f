/** torch.baddbmm with nothing to add, as diffusers computes attention scores. */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { amend } from './amend.ts';
import { sizeOf } from '../tensor/tensor.ts';
import { numbers, initializerOf, type Initializer } from './initializer.ts';

/**
 * β input + α a b is exported as products and a sum, the input being zeros of the product's shape
 * where β is 0. ONNX Runtime folds such zeros into constants: one for each attention, as large as all
 * of its scores. A sum of a product of matrices and those zeros is the product, spread to the shape of the
 * zeros where that is larger: an Expand, which goes where it is not.
 */
export function dropEmptySums(
  nodes: readonly NodeProto[],
  constants: ReadonlyMap<string, Initializer>,
): NodeProto[] {
  const maker = new Map(nodes.flatMap((n) => n.output.map((name) => [name, n] as const)));
  const made = (name: string | undefined, type: string): NodeProto | undefined => {
    const node = maker.get(name ?? '');
    return node?.opType === type && node.domain === '' ? node : undefined;
  };
  const isProduct = (name: string | undefined): boolean =>
    made(name, 'MatMul') !== undefined ||
    (made(name, 'Mul')?.input.some((i) => made(i, 'MatMul')) ?? false);
  /** The shape of zeros times a number. */
  const nothing = (name: string | undefined): string | undefined => {
    const [a, b] = made(name, 'Mul')?.input ?? [];
    const zeros = [a, b].map((i) => made(i, 'ConstantOfShape')).find(isZeros);
    const other = zeros?.output[0] === a ? b : a;
    return isNumber(other) ? zeros?.input[0] : undefined;
  };
  const isNumber = (name: string | undefined): boolean =>
    sizeOf(constants.get(name ?? '')?.shape ?? [2]) === 1;
  return nodes.map((node) => {
    if (node.opType !== 'Add' || node.domain !== '') return node;
    const [a, b] = node.input;
    const [product, zeros] = isProduct(a) ? [a, b] : [b, a];
    const shape = isProduct(product) ? nothing(zeros) : undefined;
    if (product === undefined || shape === undefined) return node;
    return amend(NodeProtoSchema, node, {
      opType: 'Expand',
      input: [product, shape],
      attribute: [],
    });
  });
}

/** Zeros are what the operator makes where its value is left out. */
function isZeros(node: NodeProto | undefined): boolean {
  if (!node) return false;
  const value = node.attribute.find((a) => a.name === 'value')?.t;
  return value === undefined || numbers(initializerOf(value, '.')).every((v) => v === 0);
}
