import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { cachePlace, type Environment } from '../../src/cache/place.ts';
import { UserError } from '../../src/errors.ts';

const folders: readonly [NodeJS.Platform, Environment, string][] = [
  ['linux', {}, '/home/me/.cache/dsg'],
  ['linux', { XDG_CACHE_HOME: '/fast' }, '/fast/dsg'],
  ['linux', { XDG_CACHE_HOME: 'relative' }, '/home/me/.cache/dsg'],
  ['freebsd', {}, '/home/me/.cache/dsg'],
  ['darwin', { XDG_CACHE_HOME: '/fast' }, '/home/me/Library/Caches/dsg'],
  ['linux', { DSG_CACHE: '/scratch' }, '/scratch'],
  ['linux', { DSG_CACHE: 'here' }, resolve('here')],
];

test.each(folders)('on %s, with %j, the cache is in %s', (platform, environment, folder) => {
  expect(cachePlace(environment, platform, '/home/me')?.folder).toBe(folder);
});

test('on Windows it is where programs keep what they can make again', () => {
  const home = 'C:\\Users\\me';
  const local = 'D:\\Local';
  const place = (env: Environment): string | undefined => cachePlace(env, 'win32', home)?.folder;
  expect(place({ LOCALAPPDATA: local })).toBe('D:\\Local\\dsg\\Cache');
  expect(place({})).toBe('C:\\Users\\me\\AppData\\Local\\dsg\\Cache');
});

test('there is none where nobody has a home', () => {
  expect(cachePlace({}, 'linux', '')).toBeUndefined();
  expect(cachePlace({ XDG_CACHE_HOME: '/fast' }, 'linux', '')?.folder).toBe('/fast/dsg');
});

test('it can be off', () => {
  expect(cachePlace({ DSG_CACHE: 'off', DSG_CACHE_SIZE: 'nonsense' })).toBeUndefined();
});

test.each([
  [undefined, 8e9],
  ['1000', 1000],
  ['500M', 500e6],
  ['1.5g', 1.5e9],
  ['2 GB', 2e9],
  ['0', 0],
])('a limit of %s is %i bytes', (DSG_CACHE_SIZE, bytes) => {
  expect(cachePlace({ DSG_CACHE_SIZE })?.limit).toBe(bytes);
});

test.each(['much', '-1', '5X', '1e9'])('a limit of %s is refused', (DSG_CACHE_SIZE) => {
  expect(() => cachePlace({ DSG_CACHE_SIZE })).toThrow(UserError);
});
