import { expect, test } from 'vitest';
import { fail } from '../../src/cli/errors.ts';
import { UserError } from '../../src/errors.ts';

const interrupt = new AbortController();
interrupt.abort();
const { signal } = interrupt;

test.each<[what: string, error: unknown, code: number, message: string]>([
  ['the interruption', signal.reason, 130, 'interrupted: images finished before stay'],
  [
    'what follows from it',
    new Error('stopped', { cause: signal.reason }),
    130,
    'interrupted: images finished before stay',
  ],
  ['a full disk after it', new UserError('no space left'), 1, 'error: no space left'],
  ['a defect after it', new RangeError('off by one'), 2, 'hint: this is a defect of dsg'],
])('%s', (_, error, code, message) => {
  let stderr = '';
  const output = { write: (text: string) => (stderr += text) };
  expect(fail(error, { stdout: output, stderr: output, env: {}, signal })).toBe(code);
  expect(stderr).toContain(message);
});
