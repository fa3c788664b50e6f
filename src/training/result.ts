/** Writes a trained model and its card. */
import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { ModelProtoSchema, StringStringEntryProtoSchema } from 'onnx-buf';
import { cardFile, metadataKey, type CardFile } from '../card/card.ts';
import { cardPath } from '../card/read.ts';
import { writeAtomic } from '../files/atomic.ts';
import { amend } from '../onnx/amend.ts';
import type { OnnxModel } from '../onnx/read.ts';
import { encodeModel } from '../onnx/write.ts';
import type { Layout } from './parameters.ts';
import { withWeights } from './replaced.ts';

/**
 * Writes `file` with the given weights, and `NAME.card.json` beside it.
 * @returns the files
 */
export async function writeTrained(
  file: string,
  model: OnnxModel,
  { layout, weights, card }: { layout: Layout; weights: Float32Array; card: CardFile },
): Promise<string[]> {
  const { sha256: _, ...inside } = cardFile.parse(card);
  const proto = withWeights(model, layout, weights);
  const entry = create(StringStringEntryProtoSchema, {
    key: metadataKey,
    value: JSON.stringify(inside),
  });
  const others = proto.metadataProps.filter((p) => p.key !== metadataKey);
  const bytes = encodeModel(amend(ModelProtoSchema, proto, { metadataProps: [...others, entry] }));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await writeAtomic(file, bytes);
  const beside = cardPath(file);
  await writeAtomic(beside, `${JSON.stringify({ ...inside, sha256 }, undefined, 2)}\n`);
  return [file, beside];
}
