/** Digests of files. */
import { createHash } from 'node:crypto';
import { chunksOf } from './chunks.ts';
import { fileFailure } from './failure.ts';

/** SHA-256 of a file, in hexadecimal. @throws UserError if it cannot be read */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of chunksOf(file)) hash.update(chunk);
  } catch (error) {
    throw fileFailure('read', file, error);
  }
  return hash.digest('hex');
}

/** The same of bytes in memory. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
