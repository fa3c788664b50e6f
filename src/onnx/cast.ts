/** A value in another type. */
import type { NodeProto } from 'onnx-buf';
import { dtypes, type DType } from './dtype.ts';
import { makeNode } from './node.ts';

export function castNode(from: string, to: string, dtype: DType): NodeProto {
  return makeNode('Cast', [from], to, { to: dtypes[dtype].code });
}
