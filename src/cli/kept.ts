/** A result as its sidecar has it: what it was made of, how good it is, and which files it consists of. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { sha256 } from '../files/sha256.ts';

const quality = z.object({ psnr: z.number().nullable(), ssim: z.number().nullable() });
/** A file by its path from the sidecar's folder, with `/` between parts. */
const digested = z.object({ file: z.string(), sha256: z.string() });
const sidecarSchema = z.looseObject({
  input: z.looseObject({ name: z.string() }),
  identity: z.object({ options: z.string(), input: z.string() }),
  result: digested.extend({ others: z.array(digested) }),
  /** Of a restoration. */
  residual: z.number().optional(),
  /** Of what was guided without a measurement. */
  loss: z.number().optional(),
  expectedNoiseNorm: z.number().optional(),
  metrics: z
    .object({
      definition: z.string(),
      result: quality,
      measurement: quality,
      measurementAs: z.string(),
    })
    .optional(),
});

export type Kept = z.infer<typeof sidecarSchema>;
export type Digested = z.infer<typeof digested>;

/** Where the sidecar of a result is, whose path without extension is `stem`. */
export function sidecarPath(stem: string): string {
  return `${stem}.json`;
}

/** A sidecar as it was written; undefined for anything else. */
export async function readSidecar(file: string): Promise<Kept | undefined> {
  try {
    return sidecarSchema.safeParse(JSON.parse(await readFile(file, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/**
 * What a sidecar is to say of the files of its result, which are all there by now.
 * @throws UserError if one cannot be read
 */
export async function resultOf(image: string, others: readonly string[]): Promise<Kept['result']> {
  const digestedOf = async (file: string): Promise<Digested> => {
    const relative = path.relative(path.dirname(image), file);
    return { file: relative.split(path.sep).join('/'), sha256: await sha256(file) };
  };
  const beside: Digested[] = [];
  // One after the other: of a hundred samples, not all need be in memory at once.
  for (const other of others) beside.push(await digestedOf(other));
  return { ...(await digestedOf(image)), others: beside };
}

/** Sidecar, result and what goes with it, as paths. */
export interface ResultFiles {
  readonly image: string;
  readonly sidecar: string;
  readonly others: readonly string[];
}

export function filesOf(sidecar: string, { result }: Pick<Kept, 'result'>): ResultFiles {
  const at = ({ file }: Digested): string => path.join(path.dirname(sidecar), file);
  return { image: at(result), sidecar, others: result.others.map(at) };
}

/** @throws UserError if a result, or what goes with it, is no longer there as its sidecar says */
export async function refuseDamaged(sidecar: string, { result }: Kept): Promise<void> {
  for (const { file, sha256: expected } of [result, ...result.others]) {
    const found = path.join(path.dirname(sidecar), file);
    if ((await sha256(found)) !== expected)
      throw new UserError(`${found}: not what ${path.basename(sidecar)} was written with`);
  }
}
