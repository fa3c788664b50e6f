import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readCheckpoint } from '../../src/checkpoint/state.ts';
import { UserError } from '../../src/errors.ts';
import { float32Values, type Initializer } from '../../src/onnx/initializer.ts';
import * as make from '../helpers/checkpoint.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();
const file = path.join(folder, 'weights.pt');
const six = make.floats(0, 1, 2, 3, 4, 5);

const archive = (saved: make.Saved, storage = six): Buffer =>
  make.torchArchive(make.pickle(make.dictionary({ w: make.rebuilt(saved) })), { 0: storage });

const read = async (content: Buffer): Promise<number[]> => {
  const [{ state }] = await readCheckpoint(make.written(file, content));
  const w = state.get('w');
  return w ? [...float32Values(w)] : [];
};

describe('views of a storage', () => {
  test.each<[string, Partial<make.Saved>, number[]]>([
    ['all of it', { size: [2, 3], stride: [3, 1] }, [0, 1, 2, 3, 4, 5]],
    ['a part', { size: [2], stride: [1], offset: 3 }, [3, 4]],
    ['transposed', { size: [3, 2], stride: [1, 3] }, [0, 3, 1, 4, 2, 5]],
    ['every other', { size: [3], stride: [2], offset: 1 }, [1, 3, 5]],
    ['an axis of one, whose stride means nothing', { size: [1, 2], stride: [77, 1] }, [0, 1]],
    ['a scalar', { size: [], stride: [], offset: 5 }, [5]],
    ['nothing', { size: [0, 3], stride: [3, 1] }, []],
  ])('%s', async (_, view, values) => {
    const saved = { key: '0', elements: 6, size: [], stride: [], ...view };
    expect(await read(archive(saved))).toEqual(values);
  });

  test.each<[string, Partial<make.Saved>]>([
    ['beyond its end', { size: [7], stride: [1] }],
    ['beyond its end by its offset', { size: [6], stride: [1], offset: 1 }],
    ['beyond its end by a stride', { size: [2], stride: [6] }],
    ['larger than it by a stride of zero', { size: [1_000_000_000], stride: [0] }],
    ['of a size that no number holds', { size: [2 ** 31 - 1, 2 ** 31 - 1, 4], stride: [0, 0, 0] }],
    ['with a negative size', { size: [-1], stride: [1] }],
    ['with a negative offset', { size: [1], stride: [1], offset: -1 }],
    ['with a stride too few', { size: [2, 2], stride: [1] }],
  ])('not one %s', async (_, view) => {
    const saved = { key: '0', elements: 6, size: [], stride: [], ...view };
    await expect(read(archive(saved))).rejects.toThrow('does not fit its storage of 6 elements');
  });
});

describe('a storage must be there, and of the size that is said', () => {
  const whole = { key: '0', elements: 6, size: [6], stride: [1] };
  test.each<[string, make.Saved, string]>([
    ['too long', { ...whole, elements: 7 }, '28 bytes of float32, the archive holds 24'],
    ['of another type', { ...whole, type: 'DoubleStorage' }, '48 bytes of float64'],
    ['missing', { ...whole, key: '1' }, 'the archive holds none'],
    ['elsewhere', { ...whole, key: '../data.pkl' }, 'the archive holds none'],
  ])('%s', async (_, saved, message) => {
    await expect(read(archive(saved))).rejects.toThrow(message);
  });

  test('of a class that is not a storage', async () => {
    await expect(read(archive({ ...whole, type: 'float32' }))).rejects.toThrow('not known');
    await expect(read(archive({ ...whole, type: 'QInt8Storage' }))).rejects.toThrow(
      'torch.QInt8Storage, which is not part of a state dict',
    );
  });
});

describe('what is nested where a number or a text belongs is refused, not written out', () => {
  // Tuples of themselves: some hundred bytes that are gigabytes of text.
  const { op } = make;
  const pair = Buffer.from([0x86]);
  const bomb = Buffer.concat([
    op.text('text'),
    op.put(0),
    ...Array.from({ length: 40 }, (_, i) => [op.get(i), pair, op.put(i + 1)]).flat(),
  ]);
  const storage = (key: Buffer, elements: Buffer): Buffer =>
    Buffer.concat([
      op.mark,
      op.text('storage'),
      op.global('torch', 'FloatStorage'),
      key,
      op.text('cpu'),
      elements,
      op.tuple,
      op.persistent,
    ]);
  const whole = storage(op.text('0'), op.int(6));
  const tensor = (offset: Buffer, size: Buffer): Buffer =>
    Buffer.concat([
      op.global('torch._utils', '_rebuild_tensor_v2'),
      op.mark,
      whole,
      offset,
      size,
      op.emptyTuple,
      op.tuple,
      op.reduce,
    ]);

  test.each<[string, Buffer, string]>([
    ['the key of a storage', storage(bomb, op.int(6)), 'of a kind that is not known'],
    ['its number of elements', storage(op.text('0'), bomb), 'of a kind that is not known'],
    ['the size of a tensor', tensor(op.int(0), bomb), 'a tensor of shape unknown'],
    ['its offset', tensor(bomb, op.emptyTuple), 'at offset unknown'],
    ['a name', Buffer.concat([bomb, op.text('x'), Buffer.from([0x93])]), 'a name that is no text'],
  ])('%s', async (_, body, message) => {
    const content = make.torchArchive(make.pickle(body), { 0: six });
    await expect(read(content)).rejects.toThrow(message);
    await expect(read(content)).rejects.toThrow(UserError);
  });
});

describe('the archive', () => {
  const whole = archive({ key: '0', elements: 6, size: [6], stride: [1] });

  test('cut short anywhere is a UserError', async () => {
    for (let length = 0; length < whole.length; length += 7)
      await expect(read(whole.subarray(0, length))).rejects.toThrow(UserError);
  });

  test.each<[string, Buffer, string]>([
    ['compressed', make.zip({ 'archive/data.pkl': six }, 8), 'compressed or encrypted'],
    ['TorchScript', make.zip({ 'a/data.pkl': six, 'a/constants.pkl': six }), 'TorchScript'],
    ['some other zip', make.zip({ 'readme.txt': six }), 'no data.pkl'],
    [
      'big-endian',
      make.zip({ 'a/data.pkl': six, 'a/byteorder': Buffer.from('big') }),
      'big-endian',
    ],
    ['no tensors', make.torchArchive(make.pickle(make.op.emptyDict), {}), 'no tensors with names'],
    ['code', make.torchArchive(make.pickle(make.op.global('os', 'system')), {}), 'os.system'],
    ['the form before 1.6', Buffer.from('80028a0a6cfc9c46f9206aa850192e80', 'hex'), 'before 1.6'],
    ['a pointer', Buffer.from('version https://git-lfs.github.com/spec/v1'), 'Git LFS'],
    ['a page', Buffer.from('<!DOCTYPE html><html>'), 'a web page'],
    ['anything', Buffer.from('anything at all, it does not matter'), 'neither a PyTorch nor'],
    ['nothing', Buffer.alloc(0), 'neither a PyTorch nor'],
  ])('%s is refused with a reason', async (_, content, message) => {
    await expect(read(content)).rejects.toThrow(message);
    await expect(read(content)).rejects.toThrow(UserError);
  });

  test('missing', async () => {
    await expect(readCheckpoint(path.join(folder, 'absent.pt'))).rejects.toThrow('no such file');
  });

  test('of 3 GB, cut short, is refused without being read', async () => {
    const large = path.join(folder, 'large.pt');
    const fd = openSync(large, 'w');
    writeSync(fd, whole.subarray(0, 100));
    ftruncateSync(fd, 3 * 2 ** 30);
    closeSync(fd);
    const before = process.memoryUsage().rss;
    await expect(readCheckpoint(large)).rejects.toThrow('damaged zip archive');
    expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
  });
});

test('a byte that changed is found by the checksum of PyTorch', async () => {
  const fixture = new URL('../fixtures/checkpoint/adm-pooling/model.pt', import.meta.url);
  const content = readFileSync(fixture);
  for (const entry of ['data/0', 'data.pkl']) {
    const damaged = Buffer.from(content);
    // Past the entry's name and the padding before its content.
    const at = damaged.indexOf(entry) + 200;
    damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
    make.written(file, damaged);
    await expect(readCheckpoint(file)).rejects.toThrow(`${entry} is damaged: its checksum`);
  }
});

test('what Lightning and OmegaConf left beside the weights is read over', async () => {
  const settings = Buffer.concat([
    make.op.global('omegaconf.dictconfig', 'DictConfig'),
    make.op.emptyTuple,
    make.op.reduce,
    make.dictionary({ lr: make.op.int(1) }),
    make.op.build,
  ]);
  const w = make.rebuilt({ key: '0', elements: 6, size: [1], stride: [1] });
  const saved = make.dictionary({ state_dict: make.dictionary({ w }), hyper_parameters: settings });
  make.written(file, make.torchArchive(make.pickle(saved), { 0: six }));
  expect([...(await readCheckpoint(file))[0].state.keys()]).toEqual(['w']);
});

test('weights are found within what training saved, averaged ones first', async () => {
  const from = (value: number): Buffer =>
    make.dictionary({
      w: make.rebuilt({ key: '0', elements: 6, offset: value, size: [1], stride: [1] }),
    });
  const nested = make.dictionary({ model: from(1), ema: from(2), epoch: make.op.int(9) });
  make.written(file, make.torchArchive(make.pickle(nested), { 0: six }));
  const [{ state, notes }] = await readCheckpoint(file);
  expect([...state.values()].map((t) => float32Values(t)[0])).toEqual([2]);
  expect(notes).toEqual(['weights: ema (there are also model)']);
});

describe('averaged weights are told', () => {
  const weight = (offset: number): Buffer =>
    make.rebuilt({ key: '0', elements: 6, offset, size: [1], stride: [1] });
  const dict = (name: string, offset: number): Buffer =>
    make.dictionary({ [name]: weight(offset) });
  const list = (...items: Buffer[]): Buffer =>
    Buffer.concat([make.op.emptyList, ...items.flatMap((item) => [item, make.op.append])]);
  const optimizer = make.dictionary({ lr: make.op.int(1) });

  test.each<[how: string, saved: Buffer, notes: string]>([
    [
      'after the others in a list, as DDIM’s trainer puts them',
      list(dict('module.in.w', 1), optimizer, make.op.int(3), dict('in.w', 2)),
      'weights: 3 (there are also 0)',
    ],
    [
      'as a part of a key',
      make.dictionary({ model: dict('in.w', 1), model_ema_state_dict: dict('in.w', 2) }),
      'weights: model_ema_state_dict (there are also model)',
    ],
    [
      'with their decay',
      make.dictionary({ model: dict('in.w', 1), 'ema_0.9999': dict('in.w', 2) }),
      'weights: ema_0.9999 (there are also model)',
    ],
    [
      'under names without dots',
      make.dictionary({
        model: dict('in.w', 1),
        ema: make.dictionary({ decay: weight(0), inw: weight(2) }),
      }),
      'weights: ema (there are also model)',
    ],
    [
      'and a word that has those letters is no sign',
      make.dictionary({
        semantic: dict('in.w', 1),
        model: make.dictionary({ 'in.w': weight(2), b: weight(2) }),
      }),
      'weights: model (there are also semantic)',
    ],
  ])('%s', async (_, saved, note) => {
    make.written(file, make.torchArchive(make.pickle(saved), { 0: six }));
    const [{ state, notes }] = await readCheckpoint(file);
    expect(float32Values(state.get('in.w') as Initializer)[0]).toBe(2);
    expect(notes).toEqual([note]);
  });
});

test('weights are found within a list', async () => {
  const w = make.rebuilt({ key: '0', elements: 6, size: [1], stride: [1] });
  const list = Buffer.concat([make.op.emptyList, make.dictionary({ w }), make.op.append]);
  make.written(file, make.torchArchive(make.pickle(list), { 0: six }));
  expect([...(await readCheckpoint(file))[0].state.keys()]).toEqual(['w']);
});

test('what PyTorch itself wrote', async () => {
  const fixture = new URL('../fixtures/checkpoint/adm-class-conditional/model.pt', import.meta.url);
  const [{ state, notes }] = await readCheckpoint(fileURLToPath(fixture));
  expect(notes).toEqual(['weights: ema (there are also model)']);
  expect(state.get('module.time_embed.0.weight')?.shape).toEqual([128, 32]);
  expect(readFileSync(fixture).length).toBeLessThan(300_000);
});
