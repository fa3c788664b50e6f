/** The images of a benchmark, which lie apart from its results. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import { placeOf, sameFile } from '../files/place.ts';
import { lookTogether } from '../files/together.ts';
import { tasks } from '../pipeline/tasks.ts';
import { findInputs, type Input } from './inputs.ts';

/** Folders of the output that hold pictures. */
const written: ReadonlySet<string> = new Set(['clean', ...tasks]);
const apart = { hint: 'choose another folder with -o' };

/** @throws UserError as `findInputs`, and for images among results or with names that results cannot have */
export async function findBenchInputs(paths: readonly string[], output: string): Promise<Input[]> {
  for (const given of paths)
    if (await sameFile(given, output))
      throw new UserError(
        `${given}: results cannot go where the images are: the next run would take them for images`,
        apart,
      );
  const inputs = await findInputs(paths, { except: output });
  await refuseResults(inputs, output);
  const odd = inputs.find(({ name }) => name.includes('\\'));
  if (odd)
    throw new UserError(`${odd.file}: a name with \\, which results.json has no place for`, {
      hint: 'rename it: on Windows the same name would be that of a file in a folder',
    });
  return inputs;
}

/** They would be scored, or replaced. */
async function refuseResults(inputs: readonly Input[], output: string): Promise<void> {
  const root = await placeOf(output);
  await lookTogether(inputs, async ({ file }) => {
    const [first = '', ...rest] = path.relative(root, await placeOf(file)).split(path.sep);
    if (rest.length > 0 && written.has(first))
      throw new UserError(`${file}: lies where the results of benchmarks in ${output} go`, apart);
  });
}
