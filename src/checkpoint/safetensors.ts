/** Reads safetensors files: the length of a JSON header, the header, the bytes of the tensors. */
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { dtypes, type DType } from '../onnx/dtype.ts';
import type { Initializer } from '../onnx/initializer.ts';
import { showShape, sizeOf } from '../tensor/tensor.ts';
import { fileSize, readRange } from '../files/range.ts';

/** What the format's own reader allows. */
const largestHeader = 100_000_000;

const types: Readonly<Record<string, DType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
};

const count = z.int().nonnegative();
const header = z.record(
  z.string(),
  z.object({
    dtype: z.string(),
    shape: z.array(count).max(8),
    data_offsets: z.tuple([count, count]),
  }),
);

/**
 * The tensors of a file by name; their bytes stay there until asked for.
 * @throws UserError for a header that is damaged, or a tensor that lies outside the file or is of
 * another size than its shape says
 */
export function readSafetensors(file: string): Map<string, Initializer> {
  const size = fileSize(file);
  const damaged = (what: string, cause?: unknown): UserError =>
    new UserError(`${file}: damaged safetensors file: ${what}`, {
      hint: 'download it again',
      ...(cause === undefined ? {} : { cause }),
    });
  if (size < 8) throw damaged('shorter than its header');
  const length = Number(new DataView(readRange(file, 0, 8).buffer).getBigUint64(0, true));
  if (length > largestHeader || 8 + length > size)
    throw damaged(`a header of ${length} bytes in a file of ${size}`);
  let parsed: z.infer<typeof header>;
  try {
    const json = JSON.parse(new TextDecoder().decode(readRange(file, 8, length))) as object;
    const { __metadata__: _, ...tensors } = json as Record<string, unknown>;
    parsed = header.parse(tensors);
  } catch (cause) {
    throw damaged('its header is not the JSON that it should be', cause);
  }
  return new Map(
    Object.entries(parsed).map(
      ([
        name,
        {
          dtype: type,
          shape,
          data_offsets: [begin, end],
        },
      ]) => {
        const dtype = types[type];
        if (!dtype)
          throw new UserError(`${file}: ${name} is of type ${type}, which is not supported`);
        const bytes = sizeOf(shape) * dtypes[dtype].bytes;
        if (end - begin !== bytes || 8 + length + end > size)
          throw damaged(
            `${name} ${dtype} ${showShape(shape)} is ${bytes} bytes, given as ${begin} to ${end} of ${size - 8 - length}`,
          );
        return [name, { dtype, shape, bytes: () => readRange(file, 8 + length + begin, bytes) }];
      },
    ),
  );
}
