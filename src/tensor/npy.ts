/** NumPy's .npy files: versions 1 to 3 are read, version 1.0 of float32 is written. */

import { UserError } from '../errors.ts';
import { readBytes } from '../files/read.ts';
import { writeAtomic } from '../files/atomic.ts';
import { showShape, sizeOf, type Tensor } from './tensor.ts';

interface Element {
  readonly bytes: number;
  /** Values of a buffer that holds nothing else. */
  readonly decode: (buffer: ArrayBuffer) => Float32Array;
}

/** By the dtype's name in the header. Typed arrays are little-endian wherever onnxruntime-node is built for. */
const ELEMENTS: Readonly<Record<string, Element>> = {
  '<f4': { bytes: 4, decode: (b) => new Float32Array(b) },
  '<f8': { bytes: 8, decode: (b) => Float32Array.from(new Float64Array(b)) },
  '<f2': { bytes: 2, decode: (b) => Float32Array.from(new Uint16Array(b), halfToNumber) },
  '|u1': { bytes: 1, decode: (b) => Float32Array.from(new Uint8Array(b)) },
  '|b1': { bytes: 1, decode: (b) => Float32Array.from(new Uint8Array(b), (v) => (v ? 1 : 0)) },
  '<i4': { bytes: 4, decode: (b) => Float32Array.from(new Int32Array(b)) },
  '<i8': { bytes: 8, decode: (b) => Float32Array.from(Array.from(new BigInt64Array(b), Number)) },
};

const MAGIC = '\x93NUMPY';
const ALIGNMENT = 64;
/** NumPy leaves room for the first dimension to grow in place to this many digits. */
const GROWTH_DIGITS = 21;

/**
 * The array in a .npy file, as float32 (integers beyond 2^24 and float64 are rounded).
 * @throws UserError if the file cannot be read or is not such an array.
 */
export async function readNpy(path: string): Promise<Tensor> {
  return decodeNpy(await readBytes(path), path);
}

/** Writes float32 in format version 1.0, atomically. */
export async function writeNpy(path: string, tensor: Tensor): Promise<void> {
  await writeAtomic(path, encodeNpy(tensor));
}

/**
 * The array that the bytes of a .npy file hold; `where` names the file in messages.
 * @throws UserError if it is damaged, in Fortran order or of a dtype not listed above.
 */
export function decodeNpy(bytes: Uint8Array, where: string): Tensor {
  const { header, offset } = splitHeader(bytes, where);
  const descr = /'descr'\s*:\s*('[^']*'|\[.*\](?=\s*,))/.exec(header)?.[1];
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const dimensions = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)?.[1];
  if (descr === undefined || fortran === undefined || dimensions === undefined)
    throw new UserError(
      `${where}: expected a .npy header with descr, fortran_order and shape, got ${header.trim()}`,
    );
  const element = ELEMENTS[descr.slice(1, -1)];
  if (!element)
    throw new UserError(
      `${where}: expected dtype ${Object.keys(ELEMENTS).join(', ')}, got ${descr}`,
      { hint: 'save it with numpy.save(path, array.astype("<f4"))' },
    );
  if (fortran === 'True')
    throw new UserError(`${where}: expected an array in C order, got Fortran order`, {
      hint: 'save it with numpy.save(path, numpy.ascontiguousarray(array))',
    });
  const shape = (dimensions.match(/\d+/g) ?? []).map(Number);
  const expected = sizeOf(shape) * element.bytes;
  const data = new Uint8Array(bytes.subarray(offset)); // a copy, hence aligned
  if (data.length !== expected)
    throw new UserError(
      `${where}: expected ${expected} bytes of data for ${descr} ${showShape(shape)}, got ${data.length}`,
      { hint: 'the file is damaged or was not written to its end' },
    );
  return { shape, data: element.decode(data.buffer) };
}

/** The bytes that `numpy.save` writes for this float32 array. */
export function encodeNpy({ shape, data }: Tensor): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const room = shape.length === 0 ? 0 : Math.max(0, GROWTH_DIGITS - `${shape[0]}`.length);
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }${' '.repeat(room)}`;
  const prefix = MAGIC.length + 4;
  const total = Math.ceil((prefix + dict.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.alloc(total, ' ');
  header.write(MAGIC, 'latin1');
  header.writeUInt16BE(0x0100, MAGIC.length);
  header.writeUInt16LE(total - prefix, MAGIC.length + 2);
  header.write(dict, prefix, 'latin1');
  header.write('\n', total - 1);
  return Buffer.concat([header, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
}

function splitHeader(bytes: Uint8Array, where: string): { header: string; offset: number } {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw new UserError(`${where}: expected a .npy file, which starts with \\x93NUMPY`);
  const version = file[MAGIC.length];
  if (version !== undefined && (version < 1 || version > 3))
    throw new UserError(`${where}: expected .npy version 1, 2 or 3, got ${version}`);
  const start = MAGIC.length + (version === 1 ? 4 : 6);
  const length = () =>
    version === 1 ? file.readUInt16LE(start - 2) : file.readUInt32LE(start - 4);
  if (file.length < start || file.length < start + length())
    throw new UserError(`${where}: the file ends within its .npy header`);
  const offset = start + length();
  return { header: file.toString(version === 3 ? 'utf8' : 'latin1', start, offset), offset };
}

/** IEEE 754 binary16: 1 sign bit, 5 exponent bits, 10 fraction bits. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
