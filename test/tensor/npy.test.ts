/** .npy files: numpy's bytes, every dtype, every refusal. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { gaussian, noiseKey } from '../../src/tensor/noise.ts';
import { decodeNpy, encodeNpy, readNpy, writeNpy } from '../../src/tensor/npy.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { testData } from '../helpers/data.ts';
import { temporaryFolder } from '../helpers/folder.ts';

/** A file of this header dictionary and data, padded as little as the format allows. */
function npy(dict: string, data: Uint8Array, version = 1): Uint8Array {
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(dict.length + 1);
  else length.writeUInt32LE(dict.length + 1);
  const magic = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  return Buffer.concat([magic, length, Buffer.from(`${dict}\n`), data]);
}

const dictOf = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
const bytesOf = (array: ArrayBufferView) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

describe("numpy's bytes", () => {
  test('the header of numpy.save for zeros (2, 3)', () =>
    expect(Buffer.from(encodeNpy(zeros([2, 3]))).toString('latin1')).toBe(
      "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }" +
        `${' '.repeat(58)}\n${'\0'.repeat(24)}`,
    ));

  // numpy 2.4.6: hashlib.sha256(file[:-array.nbytes]).hexdigest()[:16] after numpy.save.
  test.each([
    { shape: [2, 3], hash: '4d4732f1269d8281' },
    { shape: [3, 256, 256], hash: 'ff69be103b7d364b' },
    { shape: [5], hash: '48ca4e527a0cef21' },
    { shape: [], hash: 'cf0ebf69b6306344' },
    { shape: Array<number>(30).fill(1), hash: 'f02203936856d56f' },
  ])('the header for shape $shape', ({ shape, hash }) => {
    const bytes = encodeNpy(zeros(shape));
    const header = bytes.subarray(0, bytes.length - 4 * zeros(shape).data.length);
    expect(createHash('sha256').update(header).digest('hex').slice(0, 16)).toBe(hash);
  });
});

describe('reading', () => {
  // The values of numpy.uint16(bits).view(numpy.float16).
  const halves: [bits: number, value: number][] = [
    [0, 0],
    [0x0001, 5.960464477539063e-8],
    [0x03ff, 6.097555160522461e-5],
    [0x0400, 6.103515625e-5],
    [0x3555, 0.333251953125],
    [0x3c00, 1],
    [0xbc00, -1],
    [0x7bff, 65504],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, NaN],
  ];
  const table: { descr: string; array: ArrayBufferView; values: number[] }[] = [
    { descr: '<f4', array: Float32Array.of(0.5, -2, NaN), values: [0.5, -2, NaN] },
    { descr: '<f8', array: Float64Array.of(0.1, -1e300), values: [Math.fround(0.1), -Infinity] },
    {
      descr: '<f2',
      array: Uint16Array.from(halves, ([bits]) => bits),
      values: halves.map(([, value]) => value),
    },
    { descr: '|u1', array: Uint8Array.of(0, 7, 255), values: [0, 7, 255] },
    { descr: '|b1', array: Uint8Array.of(0, 1), values: [0, 1] },
    { descr: '<i4', array: Int32Array.of(-5, 2 ** 24), values: [-5, 2 ** 24] },
    { descr: '<i8', array: BigInt64Array.of(-5n, 2n ** 40n), values: [-5, 2 ** 40] },
  ];

  test.each(table)('$descr', ({ descr, array, values }) => {
    const bytes = npy(dictOf(`'${descr}'`, `(${values.length},)`), bytesOf(array));
    const { shape, data } = decodeNpy(bytes, 'a.npy');
    expect(shape).toEqual([values.length]);
    expect([...data]).toEqual(values);
  });

  test.each([1, 2, 3])('version %i, at any offset in memory', (version) => {
    const data = bytesOf(Float32Array.of(1, 2, 3, 4, 5, 6));
    const file = npy(dictOf("'<f4'", '(1, 2, 3)'), data, version);
    for (const shift of [0, 1, 2, 3]) {
      const moved = Buffer.concat([Buffer.alloc(shift), file]).subarray(shift);
      const read = decodeNpy(moved, 'a.npy');
      expect(read.shape).toEqual([1, 2, 3]);
      expect([...read.data]).toEqual([1, 2, 3, 4, 5, 6]);
    }
  });

  test('what is written', () => {
    for (const shape of [[], [0, 3], [7], [2, 3, 4, 5]]) {
      const t = gaussian(noiseKey(0, 'npy'), 'sample', 0, shape);
      expect(decodeNpy(encodeNpy(t), 'a.npy')).toEqual(t);
    }
  });

  test('a view is written, not its whole buffer', () => {
    const data = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    expect([...decodeNpy(encodeNpy({ shape: [2], data }), 'a.npy').data]).toEqual([2, 3]);
  });
});

describe('refusals name file, expected and got', () => {
  const data = new Uint8Array(24);
  const good = npy(dictOf("'<f4'", '(2, 3)'), data);
  test.each<[string, Uint8Array, string]>([
    ['another format', Buffer.from('PK\x03\x04'), 'expected a .npy file'],
    ['only the magic', good.subarray(0, 6), 'ends within its .npy header'],
    ['a cut header', good.subarray(0, 40), 'ends within its .npy header'],
    ['version 4', npy(dictOf("'<f4'", '(2, 3)'), data, 4), 'version 1, 2 or 3, got 4'],
    ['truncated data', good.subarray(0, -1), "24 bytes of data for '<f4' [2,3], got 23"],
    ['excess data', Buffer.concat([good, data]), "24 bytes of data for '<f4' [2,3], got 48"],
    ['Fortran order', npy(dictOf("'<f4'", '(2, 3)', 'True'), data), 'got Fortran order'],
    ['big-endian', npy(dictOf("'>f4'", '(2, 3)'), data), "got '>f4'"],
    ['objects', npy(dictOf("'|O'", '(3,)'), data), "got '|O'"],
    ['records', npy(dictOf("[('a', '<f4')]", '(6,)'), data), "got [('a', '<f4')]"],
    ['a header without shape', npy("{'descr': '<f4'}", data), "shape, got {'descr': '<f4'}"],
  ])('%s', (_, bytes, message) => {
    const read = () => decodeNpy(bytes, 'dir/a.npy');
    expect(read).toThrow(UserError);
    expect(read).toThrow('dir/a.npy: ');
    expect(read).toThrow(message);
  });
});

describe('files', () => {
  const folder = temporaryFolder();

  test('round trip', async () => {
    const t = gaussian(noiseKey(0, 'npy'), 'sample', 1, [3, 9, 7]);
    await writeNpy(join(folder, 'a.npy'), t);
    expect(await readNpy(join(folder, 'a.npy'))).toEqual(t);
  });

  test('a missing file', () =>
    expect(readNpy(join(folder, 'none.npy'))).rejects.toThrow('none.npy: no such file'));
});

const golden = testData('golden');

describe.skipIf(golden === undefined)('a file that numpy wrote', () => {
  test('is written again byte for byte', async () => {
    const path = join(golden!, 'clean.npy');
    const bytes = await readFile(path);
    expect(Buffer.compare(encodeNpy(decodeNpy(bytes, path)), bytes)).toBe(0);
  });
});
