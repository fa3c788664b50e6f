/** What the text of an option may be. */
import { expect, it } from 'vitest';
import { cardOptions } from '../../src/cli/model-card.ts';
import { integer, integerOr } from '../../src/cli/options.ts';

it.each([
  ['0', 0],
  ['9007199254740991', 2 ** 53 - 1],
  ['1e3', 1000],
])('%s is an integer', (text, value) => expect(integer(0).parse(text)).toBe(value));

it.each([
  ['9007199254740992', 'Expected at most 9007199254740991, up to which integers are exact.'],
  ['1e300', 'Expected at most 9007199254740991, up to which integers are exact.'],
  ['-1', 'Expected an integer, 0 or more.'],
  ['0.5', 'Expected an integer, 0 or more.'],
  ['', 'Expected an integer, 0 or more.'],
  ['x', 'Expected an integer, 0 or more.'],
])("'%s' is refused", (text, message) => expect(() => integer(0).parse(text)).toThrow(message));

it('an integer within bounds, or a word', () => {
  expect(() => integer(1, 8).parse('9007199254740992')).toThrow('Expected an integer, 1 to 8.');
  expect(integerOr('auto').parse('auto')).toBe('auto');
  expect(() => integerOr('auto').parse('1e300')).toThrow('Expected at most');
});

it.each<[string, unknown]>([
  ['prediction=v', 'v'],
  ['conditioning.y=207', 207],
  // Of fields that must have more than this part: the rest is in the card.
  ['classes.null=6', 6],
  ['latent.scaling=0.13', 0.13],
  ['text.input=states', 'states'],
])('--card %s', (given, value) =>
  expect(cardOptions.card.kind!.parse(given)).toEqual({ [given.split('=')[0] as string]: value }),
);

it.each(['prediction=w', 'classes.null=-1', 'classes.nul=1', 'latent.scaling=0'])(
  '--card %s is refused',
  (given) => expect(() => cardOptions.card.kind!.parse(given)).toThrow('card'),
);
