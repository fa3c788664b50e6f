/** The operator record: how a measurement was made, in files beside it. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { showIssues, UserError } from '../errors.ts';
import { parseJson } from '../files/json.ts';
import { writeTogether, type AtomicFile } from '../files/atomic.ts';
import { readBytes } from '../files/read.ts';
import { sha256, sha256Of } from '../files/sha256.ts';
import { encodeImage } from '../image/write.ts';
import { encodeNpy } from '../tensor/npy.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { readKernel, readMask, type Degradation } from './degradation.ts';

/** Records name their neighbours, never a path elsewhere. */
const fileName = z.string().regex(/^[^/\\]+$/, 'expected a file name without a folder');
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal');
/** A file beside a record: a measurement by the digest of its bytes, a mask or kernel by that of its values. */
const beside = z.strictObject({ file: fileName, sha256: digest });
type Beside = Readonly<z.infer<typeof beside>>;

const operatorRecord = z.strictObject({
  schema: z.literal(1),
  dsg: z.string(),
  /** The file that holds the measurement. */
  measurement: fileName,
  /** The files that hold it, one a format; older records do not tell. */
  files: z.array(beside).optional(),
  operator: z.discriminatedUnion('task', [
    z.strictObject({ task: z.literal('inpaint'), mask: beside }),
    z.strictObject({ task: z.literal('sr'), scale: z.int().min(2) }),
    z.strictObject({
      task: z.literal('deblur'),
      kernel: z.union([z.strictObject({ size: z.int(), std: z.number() }), beside]),
    }),
  ]),
  /** Standard deviation of the Gaussian noise, on images in [-1,1]. */
  noise: z.strictObject({ sigma: z.number().nonnegative(), range: z.literal('[-1,1]') }),
  seed: z.int(),
  /** With the seed, names the noise of the image. */
  name: z.string(),
  clean: z.strictObject({ width: z.int(), height: z.int(), sha256: digest }),
});

export type OperatorRecord = z.infer<typeof operatorRecord>;

/** `NAME.operator.json` beside a measurement whose path without extension is `stem`. */
export function recordPath(stem: string): string {
  return `${stem}.operator.json`;
}

/** Whatever may lie beside a measurement: its record, and what that names. */
export function recordFiles(stem: string): string[] {
  return [recordPath(stem), maskPath(stem), kernelPath(stem)];
}

const maskPath = (stem: string): string => `${stem}.mask.png`;
const kernelPath = (stem: string): string => `${stem}.kernel.npy`;

/**
 * Writes a measurement, in one or more formats, mask or kernel, and the record of them all. They
 * mean something together only: whatever comes between leaves no record rather than a wrong one.
 * @param stem path of the measurement without `.EXT` or `.measurement.EXT`
 * @returns the files written
 */
export async function writeRecorded(
  stem: string,
  measurements: readonly { readonly path: string; readonly content: Uint8Array }[],
  degradation: Degradation,
  about: Omit<OperatorRecord, 'schema' | 'operator' | 'files'>,
): Promise<string[]> {
  const { operator, file } = await encodeOperator(stem, degradation);
  const files = measurements.map(({ path: to, content }) => {
    return { file: path.basename(to), sha256: sha256Of(content) };
  });
  const record: OperatorRecord = { schema: 1, ...about, files, operator };
  const content = `${JSON.stringify(record, undefined, 2)}\n`;
  const all = [...measurements, ...(file ? [file] : []), { path: recordPath(stem), content }];
  await writeTogether(all);
  return all.map((written) => written.path);
}

async function encodeOperator(
  stem: string,
  degradation: Degradation,
): Promise<{ operator: OperatorRecord['operator']; file?: AtomicFile }> {
  switch (degradation.task) {
    case 'inpaint': {
      const { mask } = degradation;
      const [, height = 0, width = 0] = mask.shape;
      const plane = mask.data.map((v) => 2 * v - 1);
      const grey = new Float32Array(3 * plane.length);
      for (let c = 0; c < 3; c++) grey.set(plane, c * plane.length);
      const to = maskPath(stem);
      const content = await encodeImage(tensor([3, height, width], grey), 'png');
      const operator = { task: 'inpaint', mask: reference(to, mask) } as const;
      return { operator, file: { path: to, content } };
    }
    case 'sr':
      return { operator: degradation };
    case 'deblur': {
      if (!('kernel' in degradation)) {
        const { size, std } = degradation;
        return { operator: { task: 'deblur', kernel: { size, std } } };
      }
      const { kernel } = degradation;
      const to = kernelPath(stem);
      const operator = { task: 'deblur', kernel: reference(to, kernel) } as const;
      return { operator, file: { path: to, content: encodeNpy(kernel) } };
    }
  }
}

function reference(file: string, values: Tensor): Beside {
  return { file: path.basename(file), sha256: valuesHash(values) };
}

/** SHA-256 of a tensor's little-endian float32 values, in hexadecimal. */
export function valuesHash({ data }: Tensor): string {
  return createHash('sha256').update(data).digest('hex');
}

/**
 * Reads a record and the mask or kernel that it names.
 * @throws UserError if a file is missing, damaged, or not the one that the record was written with
 */
export async function readRecord(
  stem: string,
): Promise<{ record: OperatorRecord; degradation: Degradation }> {
  const file = recordPath(stem);
  const record = parseRecord(await readBytes(file), file);
  const neighbour = (name: string): string => path.join(path.dirname(file), name);
  const { operator } = record;
  switch (operator.task) {
    case 'inpaint': {
      const { values: mask } = await readMask(neighbour(operator.mask.file));
      checkHash(neighbour(operator.mask.file), mask, operator.mask.sha256, file);
      return { record, degradation: { task: 'inpaint', mask } };
    }
    case 'sr':
      return { record, degradation: operator };
    case 'deblur': {
      if ('size' in operator.kernel)
        return { record, degradation: { task: 'deblur', ...operator.kernel } };
      const { values: kernel } = await readKernel(neighbour(operator.kernel.file));
      checkHash(neighbour(operator.kernel.file), kernel, operator.kernel.sha256, file);
      return { record, degradation: { task: 'deblur', kernel } };
    }
  }
}

/** The measurements that a record was written with; none where there is no record that can be read. */
export async function recordedMeasurements(stem: string): Promise<readonly Beside[]> {
  const file = recordPath(stem);
  if (!existsSync(file)) return [];
  const record = await readBytes(file)
    .then((bytes) => parseRecord(bytes, file))
    .catch(unreadable);
  return record?.files ?? [];
}

/** These, and the record's mask or kernel where that is still its own, all by the digests of their bytes. */
export async function recordedFiles(stem: string): Promise<readonly Beside[]> {
  const measurements = await recordedMeasurements(stem);
  const whole = measurements.length > 0 ? await readRecord(stem).catch(unreadable) : undefined;
  const own = whole && operatorFileOf(whole.record.operator);
  if (own === undefined) return measurements;
  return [...measurements, { file: own, sha256: await sha256(path.join(path.dirname(stem), own)) }];
}

function unreadable(error: unknown): undefined {
  if (!(error instanceof UserError)) throw error;
}

function operatorFileOf(operator: OperatorRecord['operator']): string | undefined {
  if (operator.task === 'inpaint') return operator.mask.file;
  return operator.task === 'deblur' && 'file' in operator.kernel ? operator.kernel.file : undefined;
}

function parseRecord(bytes: Buffer, file: string): OperatorRecord {
  const parsed = operatorRecord.safeParse(parseJson(bytes.toString('utf8'), file));
  if (parsed.success) return parsed.data;
  throw new UserError(`${file}: ${showIssues(parsed.error, 'record')}`, {
    hint: 'operator records are written by `dsg degrade`; give the options instead, or make it again',
  });
}

/**
 * @param stem of the record
 * @throws UserError if a file is not the measurement that the record was written with
 */
export async function refuseOtherMeasurement(
  file: string,
  { measurement, files }: OperatorRecord,
  stem: string,
): Promise<void> {
  const record = path.basename(recordPath(stem));
  if (path.parse(measurement).name !== path.parse(file).name)
    throw new UserError(`${file}: not the measurement that ${record} describes (${measurement})`, {
      hint: `restore ${measurement}, or move the record away and give the options`,
    });
  if (!files) return;
  const digest = await sha256(file);
  if (!files.some((f) => f.sha256 === digest)) throw changed(file, record);
}

function checkHash(file: string, values: Tensor, expected: string, record: string): void {
  if (valuesHash(values) !== expected) throw changed(file, path.basename(record));
}

function changed(file: string, record: string): UserError {
  return new UserError(`${file}: not what ${record} was written with`, {
    hint: 'make the measurement again, or move the record away and give the options',
  });
}
