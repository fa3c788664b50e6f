/** Binding symbolic dimensions. */
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { bindShapes, type Bindings, type ModelInput } from '../../src/onnx/dims.ts';

const inputs: ModelInput[] = [
  { name: 'x', dtype: 'float32', shape: ['batch', 3, 's77', 's77'] },
  { name: 't', dtype: 'int64', shape: ['batch'] },
  { name: 'c', dtype: 'float32', shape: ['', 8] },
];
const bind = (bindings: Bindings): Record<string, number[]> =>
  Object.fromEntries(bindShapes(inputs, bindings, 'model'));
const bound = { x: [2, 3, 64, 64], t: [2], c: [5, 8] };

describe('bindings', () => {
  test.each<[string, Bindings]>([
    ['dimension names', { dims: { batch: 2, s77: 64, 'c.0': 5 } }],
    ['axes', { dims: { 'x.0': 2, s77: 64, 't.0': 2, 'c.0': 5 } }],
    ['shapes', { shapes: { x: [2, 3, 64, 64], c: [5, 8] } }],
    ['both', { dims: { batch: 2, 'c.0': 5 }, shapes: { x: [2, 3, 64, 64] } }],
  ])('by %s', (_, bindings) => expect(bind(bindings)).toEqual(bound));
});

describe('refusals', () => {
  test.each<[string, Bindings, string]>([
    ['a rank', { shapes: { t: [2, 1] } }, "input 't' is [batch], not [2,1]"],
    ['a fixed size', { shapes: { c: [5, 9] } }, "input 'c' is [,8], not [5,9]"],
    [
      'two sizes of one name',
      { dims: { batch: 1 }, shapes: { t: [2] } },
      "dimension 'batch' cannot be both 1 and 2",
    ],
    [
      'a name twice in one shape',
      { shapes: { x: [2, 3, 64, 32] } },
      "dimension 's77' cannot be both 64 and 32",
    ],
    [
      'open dimensions, all of them',
      { dims: { batch: 1 } },
      "dimensions without a size: s77 (input 'x', axis 2), s77 (input 'x', axis 3), c.0 (input 'c', axis 0)",
    ],
  ])('%s', (_, bindings, message) => {
    expect(() => bind(bindings)).toThrow(`model: ${message}`);
    expect(() => bind(bindings)).toThrow(UserError);
  });
});
