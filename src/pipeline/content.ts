/** What a model is, whatever its files are called. */
import type { Cache } from '../cache/cache.ts';
import { externalFiles } from '../onnx/external.ts';
import { sha256, type Model } from './model.ts';

/**
 * SHA-256 of each file that a model consists of: its own, and those beside it that hold weights.
 * @param cache remembers them for as long as the files stay as they are
 */
export async function contentOf(
  { file, onnx }: Pick<Model, 'file' | 'onnx'>,
  cache?: Cache,
): Promise<string[]> {
  const digests: string[] = [];
  for (const part of [file, ...externalFiles(onnx)])
    digests.push(await (cache ? cache.ofFile(part, sha256) : sha256(part)));
  return digests;
}
