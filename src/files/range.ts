/** Parts of a file, read when they are needed. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { UserError } from '../errors.ts';
import { fileFailure } from './failure.ts';

/**
 * `length` bytes of a file from `offset` on.
 * @throws UserError if the file cannot be read, or ends before
 */
export function readRange(file: string, offset: number, length: number): Uint8Array {
  const fd = open(file);
  try {
    if (offset + length > fstatSync(fd).size)
      throw new UserError(
        `${file}: truncated: ${length} bytes at offset ${offset} are beyond its end`,
        { hint: 'download it again; the first attempt was cut short' },
      );
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const n = readSync(fd, bytes, done, length - done, offset + done);
      if (n === 0) throw new UserError(`${file}: became shorter while it was read`);
      done += n;
    }
    return bytes;
  } finally {
    closeSync(fd);
  }
}

/** Size of a file in bytes. @throws UserError if it cannot be read */
export function fileSize(file: string): number {
  const fd = open(file);
  try {
    return fstatSync(fd).size;
  } finally {
    closeSync(fd);
  }
}

function open(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (error) {
    throw fileFailure('read', file, error);
  }
}
