/** Tells results that need not be made again. */
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { fileFailure } from '../files/failure.ts';
import { sha256 } from '../files/sha256.ts';
import type { Destination } from './destination.ts';
import type { Identity } from './identity.ts';
import type { Input } from './inputs.ts';
import type { Report } from './report.ts';

const quality = z.object({ psnr: z.number().nullable(), ssim: z.number().nullable() });
/** What of a sidecar says whether its result is whole, what it was made of, and how good it is. */
const sidecarSchema = z.looseObject({
  input: z.looseObject({ name: z.string() }),
  identity: z.object({ options: z.string(), input: z.string() }),
  result: z.object({ file: z.string(), sha256: z.string(), others: z.array(z.string()) }),
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

/** A sidecar as it was written; undefined for anything else. */
export async function readSidecar(file: string): Promise<Kept | undefined> {
  try {
    return sidecarSchema.safeParse(JSON.parse(await readFile(file, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Sidecar, result and what goes with it, as paths. */
export function filesOf(
  sidecar: string,
  { result }: Pick<Kept, 'result'>,
): { image: string; sidecar: string; others: string[] } {
  const at = (name: string): string => path.join(path.dirname(sidecar), name);
  return { image: at(result.file), sidecar, others: result.others.map(at) };
}

/** What the result of an input follows from. */
type Identify = (input: Input) => Promise<{ readonly identity: Identity }>;

/** What is left to do; the results of the rest are reported from their sidecars. */
export async function dueOf(
  inputs: readonly Input[],
  {
    destination,
    identify,
    report,
  }: { destination: Destination; identify: Identify; report: Report },
): Promise<Input[]> {
  const due: Input[] = [];
  for (const input of inputs) {
    const kept = await keptResult(input, destination, identify);
    if (!kept) due.push(input);
    else {
      const { stem } = destination;
      const files = filesOf(`${stem(input.name)}.json`, kept);
      report.kept({ ...kept, files }, input.name);
    }
  }
  const complete = inputs.length - due.length;
  report.note(`resume: ${complete} of ${inputs.length} complete, ${due.length} to do`);
  return due;
}

/**
 * The sidecar of an input's result if that is whole and was made with the same options of the same
 * input. An input that cannot be read has none; whoever reads it will say why.
 */
async function keptResult(
  input: Input,
  destination: Destination,
  identify: Identify,
): Promise<Kept | undefined> {
  const file = `${destination.stem(input.name)}.json`;
  const kept = await readSidecar(file);
  if (!kept) return undefined;
  try {
    const { identity } = await identify(input);
    const same =
      kept.identity.options === identity.options && kept.identity.input === identity.input;
    if (same) await refuseDamaged(file, kept);
    return same ? kept : undefined;
  } catch (error) {
    if (error instanceof UserError || isFileError(error)) return undefined;
    throw error;
  }
}

/** @throws UserError if a result, or what goes with it, is no longer there as its sidecar says */
export async function refuseDamaged(sidecar: string, kept: Kept): Promise<void> {
  const { image, others } = filesOf(sidecar, kept);
  for (const other of others)
    await access(other).catch((error: unknown) => {
      throw fileFailure('read', other, error);
    });
  if ((await sha256(image)) !== kept.result.sha256)
    throw new UserError(`${image}: not the result that ${path.basename(sidecar)} was written with`);
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}
