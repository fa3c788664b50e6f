/** What a model is, whatever its files are called. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Cache } from '../cache/cache.ts';
import { UserError } from '../errors.ts';
import { sha256 } from '../files/sha256.ts';
import { firstChanged, stampsOf, type Stamps } from '../files/stamp.ts';
import { externalFiles } from '../onnx/external.ts';
import { readModel, type OnnxModel } from '../onnx/read.ts';
import { filesBeside, type Parts } from './latent/folder.ts';
import type { Model } from './model.ts';

/** A model, and what tells whether its files are still those that it was read from. */
export interface ReadModel {
  readonly onnx: OnnxModel;
  readonly stamps: Stamps;
}

type Read = Pick<Model, 'file' | 'onnx' | 'parts' | 'stamps'>;

/**
 * Reads a model's file.
 * @throws UserError as `readModel` does
 */
export async function readStamped(file: string): Promise<ReadModel> {
  const own = await stampsOf([file]);
  const onnx = await readModel(file);
  return { onnx, stamps: await stampsWithWeights(own, onnx) };
}

/** The same for a pipeline, of all its files. */
export async function readStampedPipeline<T extends { readonly unet: OnnxModel }>(
  parts: Parts,
  read: () => Promise<T>,
): Promise<T & { readonly stamps: Stamps }> {
  const before = await stampsOf(filesOfPipeline(parts));
  const pipeline = await read();
  return { ...pipeline, stamps: await stampsWithWeights(before, pipeline.unet) };
}

/** Stamps taken before a model was read, with those of its weights. */
async function stampsWithWeights(before: Stamps, onnx: OnnxModel): Promise<Stamps> {
  return new Map([...(await stampsOf(weightsOf(onnx))), ...before]);
}

/**
 * SHA-256 of each file that a model consists of: its own, and those beside it that hold weights; of a
 * latent pipeline, those of its autoencoder too.
 * @param cache remembers them for as long as the files stay as they are
 * @throws UserError if one is no longer what the model was read from
 */
export async function contentOf(model: Read, cache?: Cache): Promise<string[]> {
  const files = [ownFile(model), ...filesReadLater(model)];
  const digests: string[] = [];
  for (const part of files) digests.push(await (cache ? cache.ofFile(part, sha256) : sha256(part)));
  await refuseChanged(model, files);
  return digests;
}

/**
 * The same of a network that nothing else was read of yet.
 * @throws UserError if it cannot be read
 */
export async function contentOfFile(file: string): Promise<string[]> {
  return contentOf({ file, ...(await readStamped(file)) });
}

/**
 * SHA-256 of a model's file, in hexadecimal; of a pipeline, of those of all its parts.
 * @throws UserError if one of its files is no longer what the model was read from
 */
export async function modelHash(model: Read): Promise<string> {
  const { file, parts } = model;
  const files = parts ? filesOfPipeline(parts) : [file];
  const digests: string[] = [];
  for (const each of files) digests.push(await sha256(each));
  await refuseChanged(model, [...files, ...filesReadLater(model)]);
  if (!parts) return digests[0] as string;
  const hash = createHash('sha256');
  for (const digest of digests) hash.update(digest);
  return hash.digest('hex');
}

/** Whether the file of a model, whose content is in memory, is no longer there as it was read. */
export async function isReplaced(model: Read): Promise<boolean> {
  return (await firstChanged([ownFile(model)], model.stamps)) !== undefined;
}

/**
 * That what is yet to be read of a model belongs to what was read.
 * @throws UserError if it was changed meanwhile
 */
export function refuseMixed(model: Read): Promise<void> {
  return refuseChanged(model, filesReadLater(model));
}

async function refuseChanged({ file, stamps }: Read, files: readonly string[]): Promise<void> {
  const changed = await firstChanged(files, stamps);
  if (changed === undefined) return;
  const what = changed === file ? 'it was' : `${changed} was`;
  throw new UserError(`${file}: ${what} replaced or changed after the model was read`, {
    hint: 'run it again when nothing writes there',
  });
}

function ownFile({ file, parts }: Read): string {
  return parts?.unet ?? file;
}

/** Files whose content is read when a graph is made. */
function filesReadLater({ onnx, parts }: Read): string[] {
  const autoencoder = [parts?.decoder, parts?.encoder].flatMap((f) => (f ? filesBeside(f) : []));
  return [...externalFiles(onnx), ...autoencoder];
}

function filesOfPipeline(parts: Parts): string[] {
  const { unet, decoder, encoder, textEncoder, tokenizer, scheduler } = parts;
  const words = tokenizer && path.join(tokenizer, 'vocab.json');
  return [unet, decoder, encoder, textEncoder, words, scheduler].flatMap((part) =>
    part ? filesBeside(part) : [],
  );
}

/** Files with weights; where one is missing, that is said when it is needed. */
function weightsOf(onnx: OnnxModel): string[] {
  try {
    return externalFiles(onnx);
  } catch (error) {
    if (error instanceof UserError) return [];
    throw error;
  }
}
