/** Reads the weights that a checkpoint holds, whatever lies around them. */
import { open } from 'node:fs/promises';
import { UserError } from '../errors.ts';
import { fileFailure } from '../files/failure.ts';
import type { Initializer } from '../onnx/initializer.ts';
import { readSafetensors } from './safetensors.ts';
import { readTorch } from './torch.ts';

/** Weights by name. */
export type StateDict = ReadonlyMap<string, Initializer>;

export interface Checkpoint {
  readonly file: string;
  readonly state: StateDict;
  /** What was chosen where the file left a choice, a line each. */
  readonly notes: readonly string[];
}

/** Averaged weights come first: they are what samples are drawn with. */
const preferred = ['ema', 'model_ema', 'ema_state_dict', 'params_ema', 'ema_model'];
const deepest = 4;

/**
 * Reads the weights of a checkpoint, whatever dictionaries lie around them.
 * @throws UserError for a file that is no checkpoint, or holds no tensors with names
 */
export async function readCheckpoint(file: string): Promise<Checkpoint> {
  const kind = await sniff(file);
  if (kind === 'safetensors') return { file, state: readSafetensors(file), notes: [] };
  const found = stateDicts(await readTorch(file));
  found.sort((a, b) => rank(a.path) - rank(b.path) || b.state.size - a.state.size);
  const [chosen, ...others] = found;
  if (!chosen)
    throw new UserError(`${file}: no tensors with names in this checkpoint`, {
      hint: 'a state dict is wanted: torch.save(model.state_dict(), "weights.pt")',
    });
  const notes =
    others.length > 0
      ? [
          `weights: ${show(chosen.path)} (there are also ${others.map((o) => show(o.path)).join(', ')})`,
        ]
      : [];
  return { file, state: chosen.state, notes };
}

interface Found {
  readonly path: readonly string[];
  readonly state: StateDict;
}

const show = (path: readonly string[]): string => path.join('.') || 'the file itself';

function rank(path: readonly string[]): number {
  if (path.includes('optimizer') || path.includes('opt')) return 2;
  return path.some((key) => preferred.includes(key)) ? 0 : 1;
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
    return value.flatMap((item, i) => stateDicts(item, [...path, String(i)], seen));
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
