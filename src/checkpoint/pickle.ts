/**
 * A strict reader of Python pickles.
 *
 * A pickle is a program: its opcodes import names and call them. The one parser on npm calls
 * whatever it is given, puts keys of the file on plain objects and has not seen a release in
 * years; so this one is our own. It knows the opcodes that PyTorch writes and no others, makes
 * nothing but arrays, maps, sets and plain values, and leaves every imported name to an
 * allow-list. What it makes is at most as large as the file.
 */
import { UserError } from '../errors.ts';

/** An imported name: inert by itself, or with a function of ours that stands in for the call. */
export interface Global {
  readonly qualified: string;
  readonly call?: (args: readonly unknown[]) => unknown;
}

export interface World {
  /** What messages call the file. */
  readonly where: string;
  /** The stand-in for `module.name`; undefined refuses the file. */
  readonly find: (qualified: string) => Global | undefined;
  /** The object behind a persistent id. */
  readonly persistent: (id: unknown) => unknown;
}

interface Machine extends World {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
  readonly stack: unknown[];
  /** Heights of the stack at the marks still open. */
  readonly marks: number[];
  readonly memo: Map<number, unknown>;
}

/**
 * The object that a pickle describes: dictionaries as `Map`, tuples and lists as arrays.
 * @throws UserError for a damaged pickle, an opcode that state dicts do not need, or a name that
 * is not on the list
 */
export function unpickle(bytes: Uint8Array, world: World): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const m: Machine = { ...world, bytes, view, at: 0, stack: [], marks: [], memo: new Map() };
  for (;;) {
    const opcode = take(m, 1)[0] as number;
    if (opcode === stop) return pop(m);
    const run = operations[opcode];
    if (!run)
      throw new UserError(
        `${m.where}: pickle opcode 0x${opcode.toString(16)} at byte ${m.at - 1} is not one that state dicts need`,
        { hint: saveAgain },
      );
    run(m);
  }
}

/** What to do about a checkpoint with more in it than weights. */
export const saveAgain =
  'where you trust the file, save its weights alone in Python: torch.save(model.state_dict(), "weights.pt")';

const stop = 0x2e;

const damaged = (m: Machine, what: string): UserError =>
  new UserError(`${m.where}: damaged pickle at byte ${m.at}: ${what}`, {
    hint: 'download the checkpoint again',
  });

// Reading

function take(m: Machine, length: number): Uint8Array {
  if (length > m.bytes.length - m.at) throw damaged(m, 'it ends too early');
  m.at += length;
  return m.bytes.subarray(m.at - length, m.at);
}

function number(m: Machine, width: 1 | 2 | 4): number {
  take(m, width);
  const at = m.at - width;
  if (width === 4) return m.view.getUint32(at, true);
  return width === 2 ? m.view.getUint16(at, true) : m.view.getUint8(at);
}

function signed(m: Machine): number {
  take(m, 4);
  return m.view.getInt32(m.at - 4, true);
}

const text = new TextDecoder();
const latin1 = new TextDecoder('latin1');

function line(m: Machine): string {
  const end = m.bytes.indexOf(0x0a, m.at);
  if (end < 0) throw damaged(m, 'a line without an end');
  const bytes = take(m, end - m.at);
  m.at += 1;
  return text.decode(bytes);
}

/** A little-endian integer in two's complement; beyond 2⁵³ only its magnitude matters to anyone. */
function long(bytes: Uint8Array): number {
  let value = 0n;
  bytes.forEach((byte, i) => (value |= BigInt(byte) << BigInt(8 * i)));
  return Number(BigInt.asIntN(8 * bytes.length, value));
}

// The stack

function pop(m: Machine): unknown {
  const floor = m.marks.at(-1) ?? 0;
  if (m.stack.length <= floor) throw damaged(m, 'its stack is empty');
  return m.stack.pop();
}

function top(m: Machine): unknown {
  if (m.stack.length === 0) throw damaged(m, 'its stack is empty');
  return m.stack.at(-1);
}

function popToMark(m: Machine): unknown[] {
  const mark = m.marks.pop();
  if (mark === undefined) throw damaged(m, 'a mark is missing');
  return m.stack.splice(mark);
}

const push = (value: (m: Machine) => unknown) => (m: Machine) => void m.stack.push(value(m));

function remember(m: Machine, key: number): void {
  m.memo.set(key, top(m));
}

function recall(m: Machine, key: number): unknown {
  if (!m.memo.has(key)) throw damaged(m, `nothing was kept under ${key}`);
  return m.memo.get(key);
}

const tuple = (length: number) => (m: Machine) => {
  const items = Array.from({ length }, () => pop(m)).reverse();
  m.stack.push(items);
};

// Collections

function append(m: Machine, items: readonly unknown[]): void {
  const list = top(m);
  if (!Array.isArray(list)) throw damaged(m, 'items for what is not a list');
  for (const item of items) list.push(item);
}

function addItems(m: Machine, items: readonly unknown[]): void {
  const set = top(m);
  if (!(set instanceof Set)) throw damaged(m, 'items for what is not a set');
  for (const item of items) set.add(item);
}

function setItems(m: Machine, items: readonly unknown[]): void {
  const map = top(m);
  if (!(map instanceof Map) || items.length % 2 !== 0)
    throw damaged(m, 'entries for what is not a dictionary');
  for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
}

// Names

function find(m: Machine, qualified: string): Global {
  const found = m.find(qualified);
  if (!found)
    throw new UserError(
      `${m.where}: the pickle asks for ${qualified}, which is not part of a state dict`,
      { hint: `it was not run. ${saveAgain}` },
    );
  return found;
}

function findNamed(m: Machine): Global {
  const [name, module] = [pop(m), pop(m)];
  if (typeof module !== 'string' || typeof name !== 'string')
    throw damaged(m, 'a name that is no text');
  return find(m, `${module}.${name}`);
}

function isGlobal(value: unknown): value is Global {
  return typeof value === 'object' && value !== null && 'qualified' in value;
}

function call(m: Machine): unknown {
  const args = pop(m);
  const callee = pop(m);
  if (!isGlobal(callee) || !callee.call || !Array.isArray(args))
    throw damaged(m, 'a call of what cannot be called');
  return callee.call(args);
}

/** Attributes that Python would put on an object: state dicts carry versions of modules there. */
function build(m: Machine): void {
  pop(m);
  top(m);
}

const operations: Readonly<Record<number, (m: Machine) => void>> = {
  0x80: (m) => void number(m, 1), // PROTO
  0x95: (m) => void take(m, 8), // FRAME
  0x28: (m) => void m.marks.push(m.stack.length), // MARK
  0x30: (m) => void pop(m), // POP
  0x31: (m) => void popToMark(m), // POP_MARK
  // Plain values
  0x4e: push(() => null), // NONE
  0x88: push(() => true), // NEWTRUE
  0x89: push(() => false), // NEWFALSE
  0x4a: push(signed), // BININT
  0x4b: push((m) => number(m, 1)), // BININT1
  0x4d: push((m) => number(m, 2)), // BININT2
  0x8a: push((m) => long(take(m, number(m, 1)))), // LONG1
  0x47: push((m) => (take(m, 8), m.view.getFloat64(m.at - 8))), // BINFLOAT
  0x58: push((m) => text.decode(take(m, number(m, 4)))), // BINUNICODE
  0x8c: push((m) => text.decode(take(m, number(m, 1)))), // SHORT_BINUNICODE
  0x54: push((m) => latin1.decode(take(m, number(m, 4)))), // BINSTRING
  0x55: push((m) => latin1.decode(take(m, number(m, 1)))), // SHORT_BINSTRING
  0x42: push((m) => take(m, number(m, 4))), // BINBYTES
  0x43: push((m) => take(m, number(m, 1))), // SHORT_BINBYTES
  // Collections
  0x29: push(() => []), // EMPTY_TUPLE
  0x85: tuple(1), // TUPLE1
  0x86: tuple(2), // TUPLE2
  0x87: tuple(3), // TUPLE3
  0x74: push(popToMark), // TUPLE
  0x5d: push(() => []), // EMPTY_LIST
  0x6c: push(popToMark), // LIST
  0x61: (m) => append(m, [pop(m)]), // APPEND
  0x65: (m) => append(m, popToMark(m)), // APPENDS
  0x7d: push(() => new Map()), // EMPTY_DICT
  0x73: (m) => setItems(m, [pop(m), pop(m)].reverse()), // SETITEM
  0x75: (m) => setItems(m, popToMark(m)), // SETITEMS
  0x8f: push(() => new Set()), // EMPTY_SET
  0x90: (m) => addItems(m, popToMark(m)), // ADDITEMS
  // Memory
  0x71: (m) => remember(m, number(m, 1)), // BINPUT
  0x72: (m) => remember(m, number(m, 4)), // LONG_BINPUT
  0x94: (m) => remember(m, m.memo.size), // MEMOIZE
  0x68: push((m) => recall(m, number(m, 1))), // BINGET
  0x6a: push((m) => recall(m, number(m, 4))), // LONG_BINGET
  // Names and what is made of them
  0x63: push((m) => find(m, `${line(m)}.${line(m)}`)), // GLOBAL
  0x93: push(findNamed), // STACK_GLOBAL
  0x52: push(call), // REDUCE
  0x81: push(call), // NEWOBJ
  0x62: build, // BUILD
  0x51: push((m) => m.persistent(pop(m))), // BINPERSID
};
