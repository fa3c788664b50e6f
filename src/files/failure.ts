/** What the operating system refused, in words. */

import { UserError } from '../errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  ENOTDIR: 'part of its path is not a folder',
  EISDIR: 'it is a folder',
  EEXIST: 'a file of that name is in the way',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'the name is too long',
};

/** The UserError for a failed file operation; any other error comes back as it is. */
export function fileFailure(
  action: 'read' | 'write' | 'remove',
  path: string,
  error: unknown,
): unknown {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return error;
  return new UserError(`cannot ${action} ${path}: ${REASONS[error.code] ?? error.message}`, {
    cause: error,
  });
}
