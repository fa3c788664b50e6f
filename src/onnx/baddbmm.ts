/** torch.baddbmm with nothing to add, as diffusers computes attention scores. */
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { amend } from './amend.ts';
import { numbers, initializerOf } from './initializer.ts';

/**
 * β input + α a b is exported as products and a sum, the input being zeros of the product's shape
 * where β is 0. ONNX Runtime folds such zeros into constants: one for each attention, as large as all
 * of its scores. A sum of a product of matrices and those zeros is the product.
 */
export function dropEmptySums(nodes: readonly NodeProto[]): NodeProto[] {
  const maker = new Map(nodes.flatMap((n) => n.output.map((name) => [name, n] as const)));
  const made = (name: string | undefined, type: string): NodeProto | undefined => {
    const node = maker.get(name ?? '');
    return node?.opType === type && node.domain === '' ? node : undefined;
  };
  const isProduct = (name: string | undefined): boolean =>
    made(name, 'MatMul') !== undefined ||
    (made(name, 'Mul')?.input.some((i) => made(i, 'MatMul')) ?? false);
  const isNothing = (name: string | undefined): boolean =>
    made(name, 'Mul')?.input.some((i) => isZeros(made(i, 'ConstantOfShape'))) ?? false;
  return nodes.map((node) => {
    if (node.opType !== 'Add' || node.domain !== '') return node;
    const [a, b] = node.input;
    const kept = isNothing(b) && isProduct(a) ? a : isNothing(a) && isProduct(b) ? b : undefined;
    if (kept === undefined) return node;
    return amend(NodeProtoSchema, node, { opType: 'Identity', input: [kept], attribute: [] });
  });
}

/** Zeros are what the operator makes where its value is left out. */
function isZeros(node: NodeProto | undefined): boolean {
  if (!node) return false;
  const value = node.attribute.find((a) => a.name === 'value')?.t;
  return value === undefined || numbers(initializerOf(value, '.')).every((v) => v === 0);
}
