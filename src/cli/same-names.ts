/** Images that go by one name where each needs its own. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import type { Input } from './inputs.ts';

/**
 * @param reason why names must differ
 * @param remedy how two files may come to have two names
 * @throws UserError for two images of one name, or an image that is given twice
 */
export function refuseSameNames(
  inputs: readonly Input[],
  reason: string,
  remedy: (one: string, other: string) => string,
): void {
  const byName = new Map<string, Input>();
  for (const input of inputs) {
    const name = input.name.normalize('NFC');
    const other = byName.get(name);
    if (other && path.resolve(other.file) === path.resolve(input.file))
      throw new UserError(`${input.file}: given twice`, { hint: 'name every image once' });
    if (other)
      throw new UserError(
        `two images are named '${input.name}': ${other.file} and ${input.file}; ${reason}`,
        { hint: remedy(other.file, input.file) },
      );
    byName.set(name, input);
  }
}

/** @param based whether the command takes `--base` */
export function chooseApart(based: boolean): (one: string, other: string) => string {
  return (one, other) => {
    const folder = path.dirname(other);
    if (path.resolve(path.dirname(one)) !== path.resolve(folder)) {
      const base = based ? ', or name it with --base' : '';
      return `give the folder above them${base}, so that names include folders`;
    }
    const extension = path.extname(other);
    const pattern = path.join(folder, `*${extension}`);
    return path.extname(one) === extension
      ? 'rename one of them, or give each a run of its own'
      : `rename one of them, or choose by a pattern such as '${pattern}'`;
  };
}
