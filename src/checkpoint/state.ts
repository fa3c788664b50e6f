/** Reads the weights that a checkpoint holds, whatever lies around them. */
import { open } from 'node:fs/promises';
import { UserError } from '../errors.ts';
import { fileFailure } from '../files/failure.ts';
import type { Initializer } from '../onnx/initializer.ts';
import { readSafetensors } from './safetensors.ts';
import { readTorch } from './torch.ts';

/** Weights by name. */
export type StateDict = ReadonlyMap<string, Initializer>;

/** Weights that a checkpoint holds under some key, perhaps beside others. */
export interface Checkpoint {
  readonly state: StateDict;
  /** Where they lie: keys of dictionaries and places in lists, with dots between. */
  readonly key: string;
  /** What was chosen where the file leaves a choice, a line each. */
  readonly notes: readonly string[];
}

const deepest = 4;

/** Whether a name says of weights that they are averaged: `ema`, `model_ema_state_dict`, `ema_0.9999`. */
export function isAveraged(name: string): boolean {
  return /(^|[_.-])ema([_.-]|$)/i.test(name);
}

/**
 * Reads the weights of a checkpoint, whatever dictionaries lie around them: each dictionary that holds
 * any, averaged ones first, as they are what samples are drawn with.
 * @throws UserError for a file that is no checkpoint, or holds no tensors with names
 */
export async function readCheckpoint(file: string): Promise<[Checkpoint, ...Checkpoint[]]> {
  const kind = await sniff(file);
  if (kind === 'safetensors') return [{ state: readSafetensors(file), key: whole, notes: [] }];
  const found = stateDicts(await readTorch(file));
  found.sort((a, b) => rank(a) - rank(b) || b.state.size - a.state.size);
  const [first, ...rest] = found.map((each): Checkpoint => {
    const others = found.filter((other) => other !== each).map((other) => show(other.path));
    const key = show(each.path);
    const notes =
      others.length > 0 ? [`weights: ${key} (there are also ${others.join(', ')})`] : [];
    return { state: dotted(each, found), key, notes };
  });
  if (first) return [first, ...rest];
  throw new UserError(`${file}: no tensors with names in this checkpoint`, {
    hint: 'a state dict is wanted: torch.save(model.state_dict(), "weights.pt")',
  });
}

interface Found {
  readonly path: readonly string[];
  readonly state: StateDict;
  /** It comes after one of the same shapes in a list: trainers append the average, without a name. */
  readonly appended?: boolean;
}

/** The key of weights with nothing around them. */
const whole = 'the file itself';

const show = (path: readonly string[]): string => path.join('.') || whole;

function rank({ path, appended }: Found): number {
  if (path.includes('optimizer') || path.includes('opt')) return 2;
  return appended || path.some(isAveraged) ? 0 : 1;
}

/** With the names of the weights that it averages, where it has theirs without dots, as `LitEma` does. */
function dotted({ state }: Found, found: readonly Found[]): StateDict {
  if ([...state.keys()].some((name) => name.includes('.'))) return state;
  for (const { state: raw } of found) {
    const names = [...raw.keys()];
    if (!names.some((name) => name.includes('.'))) continue;
    const own = names.flatMap((name) => state.get(name.replaceAll('.', '')) ?? []);
    if (own.length === names.length) return new Map(own.map((t, i) => [names[i] as string, t]));
  }
  return state;
}

/** Every dictionary that holds tensors itself, also within lists, once however often it is referred to. */
function stateDicts(
  value: unknown,
  path: readonly string[] = [],
  seen: Set<unknown> = new Set(),
): Found[] {
  if (path.length > deepest || seen.has(value)) return [];
  if (Array.isArray(value)) {
    seen.add(value);
    const found = value.flatMap((item, i) => stateDicts(item, [...path, String(i)], seen));
    const shapes = found.map(shapesOf);
    return found.map((each, i) => {
      const isCopy = shapes.indexOf(shapes[i] as string) < i;
      return isCopy ? { ...each, appended: true } : each;
    });
  }
  if (!(value instanceof Map)) return [];
  seen.add(value);
  const state = new Map<string, Initializer>();
  const inner: Found[] = [];
  for (const [key, item] of value) {
    if (typeof key !== 'string') continue;
    if (isTensor(item)) state.set(key, item);
    else inner.push(...stateDicts(item, [...path, key], seen));
  }
  return state.size > 0 ? [{ path, state }, ...inner] : inner;
}

/** The shapes of weights in their order, which tell networks apart whatever prefixes names have. */
function shapesOf({ state }: Found): string {
  return [...state.values()].map((t) => t.shape.join()).join(';');
}

function isTensor(value: unknown): value is Initializer {
  return typeof value === 'object' && value !== null && 'dtype' in value && 'bytes' in value;
}

/** What a file is by its first bytes. @throws UserError for what cannot be imported */
async function sniff(file: string): Promise<'zip' | 'safetensors'> {
  const head = await firstBytes(file, 16);
  const starts = (...bytes: number[]): boolean => bytes.every((b, i) => head[i] === b);
  if (starts(0x50, 0x4b, 0x03, 0x04)) return 'zip';
  if (head.length > 8 && head[8] === 0x7b) return 'safetensors';
  // PyTorch before 1.6: its magic number as the first object of a run of pickles.
  if (starts(0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46))
    throw new UserError(`${file}: a checkpoint in the form that PyTorch wrote before 1.6`, {
      hint: 'save it anew in Python: torch.save(torch.load(f, weights_only=True), "new.pt")',
    });
  if (new TextDecoder('latin1').decode(head).startsWith('version https'))
    throw new UserError(`${file}: a Git LFS pointer, not the checkpoint`, {
      hint: 'git lfs pull, or download the file itself',
    });
  if (starts(0x3c) || starts(0x0a, 0x3c))
    throw new UserError(`${file}: a web page, not the checkpoint`, {
      hint: 'the download was answered with a page; download the file itself',
    });
  throw new UserError(`${file}: neither a PyTorch nor a safetensors checkpoint`, {
    hint: 'a .pt or .bin that torch.save wrote, a .safetensors file, or a diffusers folder is wanted',
  });
}

async function firstBytes(file: string, count: number): Promise<Uint8Array> {
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileFailure('read', file, error);
  }
}
