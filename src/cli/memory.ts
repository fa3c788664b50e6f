/** Images that no memory holds: found before anything is made for them. */
import { constants } from 'node:buffer';
import { totalmem } from 'node:os';
import { UserError } from '../errors.ts';
import type { Size } from '../image/fit.ts';

/**
 * @param where the file or options that ask for the size
 * @throws UserError for a colour image whose float32 values alone are more than this process can hold
 */
export function refuseUnheld({ height, width }: Size, where: string): void {
  const values = 3 * height * width;
  // Without a limit, the system says 0 or something far beyond the memory.
  const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  if (values <= constants.MAX_LENGTH && 4 * values <= memory) return;
  const gib = (bytes: number): string => `${Number((bytes / 2 ** 30).toPrecision(3))} GiB`;
  throw new UserError(
    `${where}: an image of ${width}×${height} takes ${gib(4 * values)}, more than can be held here`,
    { hint: `there are ${gib(memory)} of memory, of which a step takes many times an image` },
  );
}
