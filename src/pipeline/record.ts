/** The operator record: how a measurement was made, in files beside it. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { showIssues, UserError } from '../errors.ts';
import { parseJson } from '../files/json.ts';
import { writeAtomic } from '../files/atomic.ts';
import { readBytes } from '../files/read.ts';
import { writeImage } from '../image/write.ts';
import { writeNpy } from '../tensor/npy.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { readKernel, readMask, type Degradation } from './degradation.ts';

/** Records name their neighbours, never a path elsewhere. */
const fileName = z.string().regex(/^[^/\\]+$/, 'expected a file name without a folder');
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal');
const beside = z.strictObject({ file: fileName, sha256: digest });

const operatorRecord = z.strictObject({
  schema: z.literal(1),
  dsg: z.string(),
  /** The file that holds the measurement. */
  measurement: fileName,
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

/**
 * Writes mask or kernel, and after them the record.
 * @param stem path of the measurement without `.EXT` or `.measurement.EXT`
 * @returns the files written
 */
export async function writeRecord(
  stem: string,
  degradation: Degradation,
  about: Omit<OperatorRecord, 'schema' | 'operator'>,
): Promise<string[]> {
  const { operator, file } = await writeOperator(stem, degradation);
  const record: OperatorRecord = { schema: 1, ...about, operator };
  await writeAtomic(recordPath(stem), `${JSON.stringify(record, undefined, 2)}\n`);
  return [...(file ? [file] : []), recordPath(stem)];
}

async function writeOperator(
  stem: string,
  degradation: Degradation,
): Promise<{ operator: OperatorRecord['operator']; file?: string }> {
  switch (degradation.task) {
    case 'inpaint': {
      const { mask } = degradation;
      const [, height = 0, width = 0] = mask.shape;
      const plane = mask.data.map((v) => 2 * v - 1);
      const grey = new Float32Array(3 * plane.length);
      for (let c = 0; c < 3; c++) grey.set(plane, c * plane.length);
      const file = `${stem}.mask.png`;
      await writeImage(file, tensor([3, height, width], grey), 'png');
      const operator = { task: 'inpaint', mask: reference(file, mask) } as const;
      return { operator, file };
    }
    case 'sr':
      return { operator: degradation };
    case 'deblur': {
      if (!('kernel' in degradation)) {
        const { size, std } = degradation;
        return { operator: { task: 'deblur', kernel: { size, std } } };
      }
      const file = `${stem}.kernel.npy`;
      await writeNpy(file, degradation.kernel);
      const operator = { task: 'deblur', kernel: reference(file, degradation.kernel) } as const;
      return { operator, file };
    }
  }
}

function reference(file: string, values: Tensor): { file: string; sha256: string } {
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
      const mask = await readMask(neighbour(operator.mask.file));
      checkHash(neighbour(operator.mask.file), mask, operator.mask.sha256, file);
      return { record, degradation: { task: 'inpaint', mask } };
    }
    case 'sr':
      return { record, degradation: operator };
    case 'deblur': {
      if ('size' in operator.kernel)
        return { record, degradation: { task: 'deblur', ...operator.kernel } };
      const kernel = await readKernel(neighbour(operator.kernel.file));
      checkHash(neighbour(operator.kernel.file), kernel, operator.kernel.sha256, file);
      return { record, degradation: { task: 'deblur', kernel } };
    }
  }
}

function parseRecord(bytes: Buffer, file: string): OperatorRecord {
  const parsed = operatorRecord.safeParse(parseJson(bytes.toString('utf8'), file));
  if (parsed.success) return parsed.data;
  throw new UserError(`${file}: ${showIssues(parsed.error, 'record')}`, {
    hint: 'operator records are written by `dsg degrade`; give the options instead, or make it again',
  });
}

function checkHash(file: string, values: Tensor, expected: string, record: string): void {
  if (valuesHash(values) !== expected)
    throw new UserError(`${file}: not what ${path.basename(record)} was written with`, {
      hint: 'the file was changed; make the measurement again, or give the options instead',
    });
}
