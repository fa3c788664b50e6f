import { describe, expect, test } from 'vitest';
import { torchGlobals } from '../../src/checkpoint/globals.ts';
import { unpickle } from '../../src/checkpoint/pickle.ts';
import { UserError } from '../../src/errors.ts';
import { dictionary, op, pickle, rebuilt } from '../helpers/checkpoint.ts';

const load = (bytes: Uint8Array): unknown =>
  unpickle(bytes, {
    where: 'weights.pt',
    find: torchGlobals((args) => ({ tensor: args })),
    persistent: (id) => ({ id }),
  });

const called = (module: string, name: string, argument: string): Buffer =>
  pickle(op.global(module, name), op.mark, op.text(argument), op.tuple, op.reduce);

describe('values', () => {
  test.each<[string, Buffer, unknown]>([
    [
      'a dictionary',
      dictionary({ a: op.int(-1), b: op.none }),
      new Map([
        ['a', -1],
        ['b', null],
      ] as [string, unknown][]),
    ],
    [
      'an ordered dictionary',
      Buffer.concat([op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce]),
      new Map(),
    ],
    ['a float', Buffer.from([0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]), 1.5],
    ['a long', Buffer.from([0x8a, 2, 0x00, 0xff]), -256],
    [
      'a set',
      Buffer.concat([Buffer.from([0x8f]), op.mark, op.int(3), Buffer.from([0x90])]),
      new Set([3]),
    ],
    [
      'what was kept',
      Buffer.concat([op.text('x'), op.put(7), op.get(7), Buffer.from([0x86])]),
      ['x', 'x'],
    ],
    [
      'an object with attributes',
      Buffer.concat([op.emptyDict, op.text('state'), op.build]),
      new Map(),
    ],
    [
      'a setting that training left',
      Buffer.concat([op.global('torch', 'device'), op.mark, op.text('cpu'), op.tuple, op.reduce]),
      null,
    ],
  ])('%s', (_, body, value) => expect(load(pickle(body))).toEqual(value));

  test('a tensor is put together from its storage and its view', () => {
    const body = rebuilt({ key: '3', elements: 6, offset: 1, size: [2, 2], stride: [2, 1] });
    expect(load(pickle(body))).toMatchObject({
      tensor: [
        { id: ['storage', { qualified: 'torch.FloatStorage' }, '3', 'cpu', 6] },
        1,
        [2, 2],
        [2, 1],
        null,
        new Map(),
      ],
    });
  });

  test('keys that mean something to JavaScript are keys like any other', () => {
    const value = load(pickle(dictionary({ __proto__x: op.none, constructor: op.int(1) })));
    expect(value).toEqual(
      new Map([
        ['__proto__x', null],
        ['constructor', 1],
      ] as [string, unknown][]),
    );
    const odd = Buffer.concat([op.emptyDict, op.text('__proto__'), op.emptyDict, op.setItem]);
    expect(load(pickle(odd))).toEqual(new Map([['__proto__', new Map()]]));
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('what is refused, by name', () => {
  test.each([
    ['os', 'system'],
    ['posix', 'system'],
    ['builtins', 'eval'],
    ['builtins', 'getattr'],
    ['subprocess', 'Popen'],
    ['__main__', 'UNet'],
    ['torch.hub', 'load'],
    ['torch._utils', '__class__'],
  ])('%s.%s', (module, name) => {
    expect(() => load(called(module, name, 'echo'))).toThrow(UserError);
    expect(() => load(called(module, name, 'echo'))).toThrow(`${module}.${name}`);
  });

  test('a name that is put together on the stack', () => {
    const body = [op.text('os'), op.text('system'), Buffer.from([0x93])];
    expect(() => load(pickle(...body))).toThrow('os.system');
  });

  test.each([
    ['a class of numbers', op.global('torch', 'FloatStorage')],
    ['a dictionary', op.emptyDict],
    ['a text', op.text('eval')],
  ])('a call of %s', (_, callee) => {
    expect(() => load(pickle(callee, op.emptyTuple, op.reduce))).toThrow('cannot be called');
  });

  test.each([0x69, 0x6f, 0x82, 0x92, 0x50])('opcode %i', (code) => {
    expect(() => load(pickle(Buffer.from([code])))).toThrow(`0x${code.toString(16)}`);
  });
});

test('a pickle cut short anywhere is a UserError and nothing else', () => {
  const whole = pickle(
    dictionary({ a: rebuilt({ key: '0', elements: 4, size: [4], stride: [1] }), b: op.text('ä') }),
  );
  for (let length = 0; length < whole.length; length++)
    expect(() => load(whole.subarray(0, length))).toThrow(UserError);
});

test('a pickle with any byte changed gives a value or a UserError', () => {
  const whole = pickle(
    dictionary({ a: rebuilt({ key: '0', elements: 4, size: [4], stride: [1] }) }),
  );
  const failures = [...whole.keys()].flatMap((at) =>
    [0x00, 0x28, 0x2e, 0x52, 0x71, 0x75, 0xff].map((byte) => failure(whole.with(at, byte))),
  );
  expect(failures.filter((f) => f !== undefined && !(f instanceof UserError))).toEqual([]);
  expect(failures.filter((f) => f instanceof UserError).length).toBeGreaterThan(whole.length);
});

function failure(bytes: Uint8Array): unknown {
  try {
    load(bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}
