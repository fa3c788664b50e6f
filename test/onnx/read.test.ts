/** Reading model files: what comes back, and what is refused. */
import { readFile, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { parseModel, readModel } from '../../src/onnx/read.ts';
import { encodeGraph, encodeModel } from '../../src/onnx/write.ts';
import { testData } from '../helpers/data.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();

test('the domain ai.onnx is the one without a name', () => {
  const { proto } = parseModel(smallGraph(), { folder, where: 'model' });
  for (const named of [...proto.opsetImport, ...(proto.graph?.node ?? [])])
    named.domain = 'ai.onnx';
  const again = parseModel(encodeModel(proto), { folder, where: 'model' }).proto;
  const domains = [...again.opsetImport, ...(again.graph?.node ?? [])].map((n) => n.domain);
  expect(new Set(domains)).toEqual(new Set(['']));
});

function smallGraph(): Uint8Array {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [1, 2, 3]);
  const w = b.constant(new Float32Array(12).fill(0.5), 'float32', [3, 4]);
  b.output(b.op('Gelu', [b.matMul(x, w)], { approximate: 'tanh' }), 'y');
  return encodeGraph(b.graph);
}
const parse = (bytes: Uint8Array) => parseModel(bytes, { folder: '.', where: 'model' });

describe('round trips', () => {
  test('a built graph, byte for byte', () => {
    const bytes = smallGraph();
    expect(Buffer.from(encodeModel(parse(bytes).proto)).equals(bytes)).toBe(true);
  });

  const root = testData('vjp');
  const files = (root ? readdirSync(root, { recursive: true, encoding: 'utf8' }) : []).filter((f) =>
    f.endsWith('.onnx'),
  );
  test.skipIf(!root).each(files)('%s, byte for byte', async (name) => {
    const file = path.join(root as string, name);
    const { proto } = await readModel(file);
    expect(Buffer.from(encodeModel(proto)).equals(await readFile(file))).toBe(true);
  });
});

describe('refusals', () => {
  const text = (s: string): Uint8Array => new TextEncoder().encode(s);
  const model = (irVersion: bigint, opset: bigint): Uint8Array =>
    encodeModel(
      create(ModelProtoSchema, {
        irVersion,
        opsetImport: [{ domain: '', version: opset }],
        graph: { name: 'g' },
      }),
    );
  const whole = smallGraph();
  test.each([
    ...[0.1, 0.5, 0.9, 0.999].map((part) => ({
      name: `cut at ${part}`,
      bytes: whole.subarray(0, Math.floor(part * whole.length)),
      message: /not an ONNX model/,
    })),
    { name: 'nothing', bytes: new Uint8Array(), message: /no graph or no operator set/ },
    {
      name: 'a Git LFS pointer',
      bytes: text('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n'),
      message: /not an ONNX model/,
    },
    { name: 'text', bytes: text('{"model": true}'), message: /not an ONNX model/ },
    { name: 'a newer file format', bytes: model(14n, 17n), message: /\(IR\) 14 is newer than 13/ },
    { name: 'newer operators', bytes: model(8n, 27n), message: /operator set 27 is newer than 26/ },
    {
      name: 'no operator set',
      bytes: encodeModel(create(ModelProtoSchema, { irVersion: 8n, graph: {} })),
      message: /no operator set/,
    },
  ])('$name', async ({ bytes, message }) => {
    const file = path.join(folder, 'bad.onnx');
    await writeFile(file, bytes);
    await expect(readModel(file)).rejects.toThrow(message);
    await expect(readModel(file)).rejects.toBeInstanceOf(UserError);
    await expect(readModel(file)).rejects.toThrow(file);
  });

  test('a file that is not there', async () =>
    expect(readModel(path.join(folder, 'absent.onnx'))).rejects.toThrow(/cannot be read: ENOENT/));
});
