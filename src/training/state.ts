/** The checkpoint of a training run: a safetensors file that holds all that the next step needs. */
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { writeAtomic } from '../files/atomic.ts';
import { readBytes } from '../files/read.ts';
import { bytesOf } from '../onnx/initializer.ts';
import { sizeOf } from '../tensor/tensor.ts';
import type { Layout } from './parameters.ts';
import type { TrainingState } from './optimiser.ts';

/** What a run follows from, by name; a run with others cannot go on with its state, but for some. */
export type Settings = Readonly<Record<string, string | number | null>>;

const parts = ['weights', 'mean', 'square', 'average'] as const;

const metadata = z.object({
  'dsg.step': z.string().regex(/^\d+$/),
  'dsg.settings': z.string(),
});

/** Writes it whole or not at all. Python's safetensors reads each weight by `weights/NAME` and so on. */
export async function writeState(
  file: string,
  { step, vectors }: TrainingState,
  layout: Layout,
  settings: Settings,
): Promise<void> {
  const entries = headerOf(layout);
  const described = { 'dsg.step': String(step), 'dsg.settings': JSON.stringify(settings) };
  const text = Buffer.from(JSON.stringify({ __metadata__: described, ...entries }));
  // Data begin at a multiple of eight bytes, which are more than letters where not all are ASCII.
  const header = Buffer.alloc(Math.ceil(text.length / 8) * 8, ' ');
  header.set(text);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  const data = parts.map((part) => bytesOf(vectors[part]));
  await writeAtomic(file, Buffer.concat([length, header, ...data]));
}

/** A state, and the settings that it was made with. */
export interface Made {
  readonly state: TrainingState;
  readonly settings: Settings;
}

/**
 * Reads it.
 * @param settings what it is to be made with; one that the file does not name yet, as of an earlier
 * version, is taken for the same
 * @param free names of settings that may be others than before
 * @throws UserError for a file that is damaged, of another network, or made with other settings
 */
export async function readState(
  file: string,
  layout: Layout,
  settings: Settings,
  free: readonly string[] = [],
): Promise<Made> {
  const bytes = await readBytes(file);
  const damaged = (cause?: unknown): UserError =>
    new UserError(`${file}: damaged, or not the checkpoint of a training run`, {
      hint: 'delete it to begin anew',
      ...(cause === undefined ? {} : { cause }),
    });
  if (bytes.length < 8 || bytes.readBigUInt64LE(0) > bytes.length - 8) throw damaged();
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  let step: number;
  let made: Settings;
  let entries: Record<string, unknown>;
  try {
    const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, unknown>;
    const { __metadata__: described, ...tensors } = header;
    const known = metadata.parse(described);
    step = Number(known['dsg.step']);
    made = z
      .record(z.string(), z.union([z.string(), z.number(), z.null()]))
      .parse(JSON.parse(known['dsg.settings']));
    entries = tensors;
  } catch (cause) {
    throw damaged(cause);
  }
  refuseOthers(file, made, settings, free);
  const length = 4 * layout.size;
  if (
    JSON.stringify(entries) !== JSON.stringify(headerOf(layout)) ||
    bytes.length !== start + parts.length * length
  )
    throw damaged();
  const vector = (i: number): Float32Array =>
    new Float32Array(
      new Uint8Array(bytes.subarray(start + i * length, start + (i + 1) * length)).buffer,
    );
  const [weights, mean, square, average] = [vector(0), vector(1), vector(2), vector(3)];
  return { state: { step, vectors: { weights, mean, square, average } }, settings: made };
}

/** Names, types, shapes and places of all weights, four times over. */
function headerOf({ entries }: Layout): Record<string, object> {
  let at = 0;
  return Object.fromEntries(
    parts.flatMap((part) =>
      entries.map(({ name, shape }) => {
        const begin = at;
        at += 4 * sizeOf(shape);
        return [`${part}/${name}`, { dtype: 'F32', shape, data_offsets: [begin, at] }];
      }),
    ),
  );
}

function refuseOthers(
  file: string,
  made: Settings,
  settings: Settings,
  free: readonly string[],
): void {
  const changed = Object.keys(made).filter(
    (name) => made[name] !== settings[name] && !free.includes(name),
  );
  if (changed.length === 0) return;
  const lines = changed.map(
    (name) => `${name} ${made[name] ?? 'none'}, now ${settings[name] ?? 'none'}`,
  );
  throw new UserError(`${file}: made with other settings: ${lines.join('; ')}`, {
    hint: 'give the settings of before to go on, or delete it to begin anew',
  });
}
