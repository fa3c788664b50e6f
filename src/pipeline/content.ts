/** What a model is, whatever its files are called. */
import type { Cache } from '../cache/cache.ts';
import { externalFiles } from '../onnx/external.ts';
import { filesBeside } from './latent/folder.ts';
import { sha256, type Model } from './model.ts';

/**
 * SHA-256 of each file that a model consists of: its own, and those beside it that hold weights; of a
 * latent pipeline, those of its autoencoder too.
 * @param cache remembers them for as long as the files stay as they are
 */
export async function contentOf(
  { file, onnx, parts }: Pick<Model, 'file' | 'onnx' | 'parts'>,
  cache?: Cache,
): Promise<string[]> {
  const digests: string[] = [];
  const autoencoder = [parts?.decoder, parts?.encoder].flatMap((f) => (f ? filesBeside(f) : []));
  for (const part of [parts?.unet ?? file, ...externalFiles(onnx), ...autoencoder])
    digests.push(await (cache ? cache.ofFile(part, sha256) : sha256(part)));
  return digests;
}
