/** Where the cache is, and how large it may become. */
import { homedir } from 'node:os';
import path from 'node:path';
import { UserError } from '../errors.ts';

export interface Place {
  readonly folder: string;
  /** Bytes; what was used longest ago goes first. */
  readonly limit: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const usualLimit = '8G';
const units = { K: 1e3, M: 1e6, G: 1e9, T: 1e12 } as const;

/**
 * The cache that the environment asks for: `DSG_CACHE` (a folder, or `off`) and `DSG_CACHE_SIZE`
 * (bytes, or with K, M, G or T), by default the platform's folder for caches and 8 GB.
 * @returns undefined where it is off, or nobody's home is known
 * @throws UserError for a size that is none
 */
export function cachePlace(
  environment: Environment,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): Place | undefined {
  const { DSG_CACHE: given, DSG_CACHE_SIZE: size } = environment;
  if (given === 'off') return undefined;
  const folder = given ? path.resolve(given) : usualFolder(environment, platform, home);
  // Without a home, there would be one in every folder that a command is run in.
  const { isAbsolute } = platform === 'win32' ? path.win32 : path.posix;
  if (!given && !isAbsolute(folder)) return undefined;
  return { folder, limit: bytesOf(size || usualLimit) };
}

function usualFolder(environment: Environment, platform: NodeJS.Platform, home: string): string {
  const { join } = platform === 'win32' ? path.win32 : path.posix;
  switch (platform) {
    case 'win32':
      return join(environment['LOCALAPPDATA'] || join(home, 'AppData', 'Local'), 'dsg', 'Cache');
    case 'darwin':
      return join(home, 'Library', 'Caches', 'dsg');
    default: {
      // The XDG Base Directory Specification: relative paths count as unset.
      const { XDG_CACHE_HOME: base = '' } = environment;
      return join(path.posix.isAbsolute(base) ? base : join(home, '.cache'), 'dsg');
    }
  }
}

function bytesOf(size: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([KMGT]?)B?$/i.exec(size.trim()) ?? [];
  if (digits === undefined)
    throw new UserError(`DSG_CACHE_SIZE: expected a number of bytes, got '${size}'`, {
      hint: 'such as 500M or 8G',
    });
  const factor = unit ? units[unit.toUpperCase() as keyof typeof units] : 1;
  return Math.floor(Number(digits) * factor);
}
