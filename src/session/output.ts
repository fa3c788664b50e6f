import { execFileSync } from 'node:child_process';

/** What a program prints; undefined where it is missing or fails. */
export function output(program: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}
