import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSafetensors } from '../../src/checkpoint/safetensors.ts';
import { readCheckpoint } from '../../src/checkpoint/state.ts';
import { UserError } from '../../src/errors.ts';
import { float32Values } from '../../src/onnx/initializer.ts';
import * as make from '../helpers/checkpoint.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();
const file = path.join(folder, 'weights.safetensors');
const tensor = (dtype: string, shape: number[], from: number, to: number): object => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

test('tensors by name, their bytes where the header says', async () => {
  const header = {
    __metadata__: { format: 'pt' },
    a: tensor('F32', [2], 4, 12),
    b: tensor('F16', [1, 2], 0, 4),
  };
  const half = Buffer.from(Uint16Array.of(0x3c00, 0xc000).buffer);
  make.written(file, make.safetensors(header, Buffer.concat([half, make.floats(5, 6)])));
  const [{ state }] = await readCheckpoint(file);
  expect([...state.keys()]).toEqual(['a', 'b']);
  const values = [...state.values()].map((t) => [...float32Values(t)]);
  expect(values).toEqual([
    [5, 6],
    [1, -2],
  ]);
});

describe('refused', () => {
  test.each<[string, object, string]>([
    ['beyond the end', { a: tensor('F32', [2], 4, 12) }, 'given as 4 to 12 of 8'],
    ['of another size', { a: tensor('F32', [3], 0, 8) }, '[3] is 12 bytes'],
    ['of a size that is no number', { a: tensor('F32', [1e308, 1e308], 0, 8) }, 'JSON'],
    ['a negative offset', { a: tensor('F32', [2], -8, 0) }, 'JSON'],
    ['an unknown type', { a: tensor('F8_E4M3', [8], 0, 8) }, 'F8_E4M3'],
    ['a header of another form', { a: 1 }, 'JSON'],
  ])('%s', (_, header, message) => {
    make.written(file, make.safetensors(header, make.floats(1, 2)));
    expect(() => readSafetensors(file)).toThrow(UserError);
    expect(() => readSafetensors(file)).toThrow(message);
  });

  test('a header longer than the file', () => {
    const content = make.safetensors({}, Buffer.alloc(0));
    content.writeBigUInt64LE(1n << 40n);
    make.written(file, content);
    expect(() => readSafetensors(file)).toThrow('a header of 1099511627776 bytes');
  });

  test('cut short anywhere', () => {
    const whole = make.safetensors({ a: tensor('F32', [2], 0, 8) }, make.floats(1, 2));
    for (let length = 0; length < whole.length; length++) {
      make.written(file, whole.subarray(0, length));
      expect(() => readSafetensors(file)).toThrow(UserError);
    }
  });
});

test('a tensor beyond 2 GB is read from its place', () => {
  const at = 3 * 2 ** 30;
  const header = make.safetensors({ a: tensor('F32', [2], at, at + 8) }, Buffer.alloc(0));
  const large = path.join(folder, 'large.safetensors');
  const fd = openSync(large, 'w');
  writeSync(fd, header);
  ftruncateSync(fd, header.length + at + 8);
  writeSync(fd, make.floats(7, 8), 0, 8, header.length + at);
  closeSync(fd);
  const a = readSafetensors(large).get('a');
  expect(a && [...float32Values(a)]).toEqual([7, 8]);
});
