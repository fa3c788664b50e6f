/** Tells results that need not be made again. */
import { UserError } from '../errors.ts';
import type { Destination } from './destination.ts';
import type { Identity } from './identity.ts';
import type { Input } from './inputs.ts';
import { filesOf, readSidecar, refuseDamaged, sidecarPath, type Kept } from './kept.ts';
import type { Report } from './report.ts';

/** What the result of an input follows from. */
type Identify = (input: Input) => Promise<{ readonly identity: Identity }>;

/** What is left to do; the results of the rest are reported from their sidecars. */
export async function dueOf(
  inputs: readonly Input[],
  {
    destination,
    identify,
    report,
  }: { destination: Destination; identify: Identify; report: Report },
): Promise<Input[]> {
  const due: Input[] = [];
  for (const input of inputs) {
    const kept = await keptResult(input, destination, identify);
    if (!kept) due.push(input);
    else {
      const files = filesOf(sidecarPath(destination.stem(input.name)), kept);
      report.kept({ ...kept, files }, input.name);
    }
  }
  const complete = inputs.length - due.length;
  report.note(`resume: ${complete} of ${inputs.length} complete, ${due.length} to do`);
  return due;
}

/**
 * The sidecar of an input's result if that is whole and was made with the same options of the same
 * input. An input that cannot be read has none; whoever reads it will say why.
 */
async function keptResult(
  input: Input,
  destination: Destination,
  identify: Identify,
): Promise<Kept | undefined> {
  const file = sidecarPath(destination.stem(input.name));
  const kept = await readSidecar(file);
  if (!kept) return undefined;
  try {
    const { identity } = await identify(input);
    const same =
      kept.identity.options === identity.options && kept.identity.input === identity.input;
    if (same) await refuseDamaged(file, kept);
    return same ? kept : undefined;
  } catch (error) {
    if (error instanceof UserError || isFileError(error)) return undefined;
    throw error;
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}
