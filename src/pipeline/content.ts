/** What a model is, whatever its files are called. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Cache } from '../cache/cache.ts';
import { sha256 } from '../files/sha256.ts';
import { externalFiles } from '../onnx/external.ts';
import { filesBeside } from './latent/folder.ts';
import type { Model } from './model.ts';

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

/** SHA-256 of a model's file, in hexadecimal; of a pipeline, of those of all its parts. */
export async function modelHash({ file, parts }: Model): Promise<string> {
  if (!parts) return sha256(file);
  const { unet, decoder, encoder, textEncoder, tokenizer, scheduler } = parts;
  const words = tokenizer && path.join(tokenizer, 'vocab.json');
  const hash = createHash('sha256');
  for (const part of [unet, decoder, encoder, textEncoder, words, scheduler])
    for (const each of part ? filesBeside(part) : []) hash.update(await sha256(each));
  return hash.digest('hex');
}
