/** Writes checkpoints byte by byte, whole or damaged, as PyTorch and safetensors write them. */
import { writeFileSync } from 'node:fs';

const bytes = (...values: number[]): Buffer => Buffer.from(values);

function u32(value: number): Buffer {
  const b = Buffer.alloc(4);
  b.writeUInt32LE(value);
  return b;
}

/** Opcodes of a pickle, in the words of Python's pickletools. */
export const op = {
  proto: bytes(0x80, 2),
  mark: bytes(0x28),
  stop: bytes(0x2e),
  none: bytes(0x4e),
  emptyTuple: bytes(0x29),
  tuple: bytes(0x74),
  emptyList: bytes(0x5d),
  append: bytes(0x61),
  emptyDict: bytes(0x7d),
  setItem: bytes(0x73),
  setItems: bytes(0x75),
  reduce: bytes(0x52),
  build: bytes(0x62),
  persistent: bytes(0x51),
  put: (key: number): Buffer => bytes(0x71, key),
  get: (key: number): Buffer => bytes(0x68, key),
  int: (value: number): Buffer => Buffer.concat([bytes(0x4a), u32(value >>> 0)]),
  text: (value: string): Buffer =>
    Buffer.concat([bytes(0x58), u32(Buffer.byteLength(value)), Buffer.from(value)]),
  global: (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`),
};

export const pickle = (...parts: Buffer[]): Buffer => Buffer.concat([op.proto, ...parts, op.stop]);

export interface Saved {
  /** Name of the storage's entry. */
  readonly key: string;
  /** Elements that the pickle says the storage has. */
  readonly elements: number;
  readonly type?: string;
  readonly offset?: number;
  readonly size: readonly number[];
  readonly stride: readonly number[];
}

const ints = (values: readonly number[]): Buffer[] => [op.mark, ...values.map(op.int), op.tuple];

/** `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, False, OrderedDict())` */
export function rebuilt({ key, elements, type = 'FloatStorage', offset = 0, size, stride }: Saved) {
  const storage = [op.mark, op.text('storage'), op.global('torch', type)];
  return Buffer.concat([
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.mark,
    ...storage,
    op.text(key),
    op.text('cpu'),
    op.int(elements),
    op.tuple,
    op.persistent,
    op.int(offset),
    ...ints(size),
    ...ints(stride),
    op.none,
    op.global('collections', 'OrderedDict'),
    op.emptyTuple,
    op.reduce,
    op.tuple,
    op.reduce,
  ]);
}

/** A dictionary of names to what `parts` put on the stack. */
export function dictionary(parts: Readonly<Record<string, Buffer>>): Buffer {
  const items = Object.entries(parts).flatMap(([key, value]) => [op.text(key), value]);
  return Buffer.concat([op.emptyDict, op.mark, ...items, op.setItems]);
}

/** A zip archive of stored entries; `method` 8 claims that they are compressed. */
export function zip(entries: Readonly<Record<string, Buffer>>, method = 0): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(entries)) {
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(10, 0);
    shared.writeUInt16LE(method, 4);
    shared.writeUInt32LE(content.length, 14);
    shared.writeUInt32LE(content.length, 18);
    shared.writeUInt16LE(Buffer.byteLength(name), 22);
    const file = Buffer.concat([Buffer.from('PK\x03\x04'), shared, Buffer.from(name), content]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    central.push(
      Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), shared, place, Buffer.from(name)]),
    );
    local.push(file);
    at += file.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(local.length, 4);
  end.writeUInt16LE(local.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...local, directory, Buffer.from('PK\x05\x06'), end]);
}

/** As `torch.save` writes an object: its pickle, and storages by key. */
export function torchArchive(data: Buffer, storages: Readonly<Record<string, Buffer>>): Buffer {
  const entries = Object.entries(storages).map(([key, value]) => [`archive/data/${key}`, value]);
  return zip({ 'archive/data.pkl': data, ...(Object.fromEntries(entries) as object) });
}

export function safetensors(header: unknown, data: Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

export function floats(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

export function written(file: string, content: Buffer): string {
  writeFileSync(file, content);
  return file;
}
