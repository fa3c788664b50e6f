/** External data: written, found again, and refused where it should not be. */
import { readdir, rm, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { TensorProtoSchema, TensorProto_DataLocation, TensorProto_DataType } from 'onnx-buf';
import { UserError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { externalFiles } from '../../src/onnx/external.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { initializerFrom, initializerOf } from '../../src/onnx/initializer.ts';
import { readModel } from '../../src/onnx/read.ts';
import { writeGraph } from '../../src/onnx/write.ts';
import { resolveGraph } from '../../src/session/resolve.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { randomTensor } from '../helpers/random.ts';
import { runGraph } from '../helpers/run.ts';

let folder = '';
beforeEach(() => {
  folder = temporaryFolder();
});

/** Two large weights and a small one: y = x A B + c. */
function twoLayers(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2, 30]);
  const weight = (name: string, shape: number[]) => {
    return b.initializer(name, initializerFrom('float32', shape, randomTensor(name, shape).data));
  };
  const hidden = b.matMul(x, weight('A', [30, 50]));
  b.output(b.add(b.matMul(hidden, weight('B', [50, 40])), weight('c', [40])), 'y');
  return b.graph;
}

test('what is written is read again, bytes and values', async () => {
  const graph = twoLayers();
  const file = path.join(folder, 'sub', 'model.onnx');
  await writeGraph(graph, file, { externalFrom: 1024 });
  // Nothing unfinished is left behind; each tensor starts on a page of 4096 bytes.
  expect((await readdir(path.dirname(file))).sort()).toEqual(['model.onnx', 'model.onnx.data']);
  expect((await stat(`${file}.data`)).size).toBe(8192 + 8192);
  const model = await readModel(file);
  const tensors = model.proto.graph?.initializer ?? [];
  expect(tensors.map((t) => [t.name, t.dataLocation])).toEqual([
    ['A', TensorProto_DataLocation.EXTERNAL],
    ['B', TensorProto_DataLocation.EXTERNAL],
    ['c', TensorProto_DataLocation.DEFAULT],
  ]);
  for (const t of tensors)
    expect(Buffer.from(initializerOf(t, model.folder).bytes())).toEqual(
      Buffer.from(graph.initializers.get(t.name)?.bytes() as Uint8Array),
    );
  const x = randomTensor('x', [2, 30]);
  const again = await runGraph(await resolveGraph(model), { x });
  expect(again['y']).toEqual((await runGraph(graph, { x }))['y']);
});

test('without a size it all stays in one file', async () => {
  const file = path.join(folder, 'model.onnx');
  await writeGraph(twoLayers(), file);
  expect(await readdir(folder)).toEqual(['model.onnx']);
});

describe('refusals', () => {
  const read = async (): Promise<Uint8Array> => {
    const model = await readModel(path.join(folder, 'model.onnx'));
    const [, second] = model.proto.graph?.initializer ?? [];
    if (!second) throw new Error('the model has no second initializer');
    return initializerOf(second, model.folder).bytes();
  };

  test('the data file is gone', async () => {
    await writeGraph(twoLayers(), path.join(folder, 'model.onnx'), { externalFrom: 1 });
    await rm(path.join(folder, 'model.onnx.data'));
    await expect(read()).rejects.toThrow(/initializer B: external data file .* cannot be read/);
    await expect(read()).rejects.toBeInstanceOf(UserError);
    const model = await readModel(path.join(folder, 'model.onnx'));
    expect(() => externalFiles(model)).toThrow(
      /model\.onnx: its weights are in .*model\.onnx\.data, and there is no such file/,
    );
  });

  test('more is asked for than any file holds', async () => {
    await writeGraph(twoLayers(), path.join(folder, 'model.onnx'), { externalFrom: 1 });
    const vast = external({ location: 'model.onnx.data' });
    vast.dims = [2n ** 45n];
    expect(() => initializerOf(vast, folder).bytes()).toThrow(/truncated: 140737488355328 bytes/);
  });

  test('the data file is cut short', async () => {
    await writeGraph(twoLayers(), path.join(folder, 'model.onnx'), { externalFrom: 1 });
    await truncate(path.join(folder, 'model.onnx.data'), 8192 + 100);
    await expect(read()).rejects.toThrow(
      /model\.onnx\.data: truncated: 8000 bytes at offset 8192 are beyond its end/,
    );
  });

  const external = (entries: Record<string, string>) =>
    create(TensorProtoSchema, {
      name: 'w',
      dataType: TensorProto_DataType.FLOAT,
      dims: [4n],
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    });
  test.each([
    [{ location: '../w.data' }, /outside the model's folder/],
    [{ location: 'a/../../w.data' }, /outside the model's folder/],
    [{ location: '/etc/hostname' }, /outside the model's folder/],
    [{ location: '.' }, /outside the model's folder/],
    [{}, /outside the model's folder/],
    [{ location: 'w.data', length: '12' }, /has 12 bytes, its shape needs 16/],
    [{ location: 'w.data', offset: '-8' }, /offset '-8', expected a number of bytes/],
  ])('location %j', (entries, message) => {
    const read = (): Uint8Array => initializerOf(external(entries), folder).bytes();
    expect(read).toThrow(message);
    expect(read).toThrow(UserError);
  });
});
