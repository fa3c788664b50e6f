/** Reads PyTorch checkpoints: a zip archive of a pickle and the bytes of its storages. */
import { crc32 } from 'node:zlib';
import * as yauzl from 'yauzl';
import { UserError } from '../errors.ts';
import { dtypes } from '../onnx/dtype.ts';
import { storageType, torchGlobals } from './globals.ts';
import { saveAgain, unpickle } from './pickle.ts';
import { fileSize, readRange } from '../files/range.ts';
import { strided, type Storage } from './strided.ts';

/** A table of contents beyond this is none. */
const largestPickle = 64 << 20;

/** An entry of the archive: where its bytes lie in the file. */
interface Span {
  readonly start: number;
  readonly length: number;
  /** Compressed or encrypted: its bytes are not its content. */
  readonly coded: boolean;
  /** CRC-32 of its content; 0 where the writer was told to leave it out. */
  readonly crc: number;
}

/**
 * The object that `torch.save` wrote: dictionaries as `Map`, tensors as constants whose bytes are
 * still in the file.
 * @throws UserError for a damaged archive, a TorchScript program, or a pickle with more in it than
 * tensors and plain values
 */
export async function readTorch(file: string): Promise<unknown> {
  const entries = await entriesOf(file);
  const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  const root = pickle?.slice(0, -'data.pkl'.length) ?? '';
  if (entries.has(`${root}constants.pkl`))
    throw new UserError(`${file}: a TorchScript program, not a checkpoint`, {
      hint: 'export it to ONNX, or save its weights: torch.save(module.state_dict(), "weights.pt")',
    });
  const coded = [...entries].find(([, span]) => span.coded)?.[0];
  if (coded !== undefined)
    throw new UserError(`${file}: entry ${coded} is compressed or encrypted`, {
      hint: 'take the checkpoint as torch.save wrote it',
    });
  const span = pickle === undefined ? undefined : entries.get(pickle);
  if (!span)
    throw new UserError(`${file}: a zip archive, but not one that torch.save wrote: no data.pkl`);
  if (span.length > largestPickle)
    throw new UserError(`${file}: its pickle is ${span.length} bytes, which no state dict needs`, {
      hint: saveAgain,
    });
  const order = entries.get(`${root}byteorder`);
  if (order && new TextDecoder().decode(readRange(file, order.start, order.length)) !== 'little')
    throw new UserError(`${file}: written on a big-endian machine, which is not supported`);
  const checked = new Set<string>();
  checkSum(file, pickle as string, span);
  return unpickle(readRange(file, span.start, span.length), {
    where: file,
    find: torchGlobals(([storage, offset, size, stride]) => {
      if (!isStorage(storage)) throw new UserError(`${file}: a tensor without a storage`);
      return strided(storage, offset, size, stride);
    }),
    persistent: (id) => storageOf(id, { file, root, entries, checked }),
  });
}

function isStorage(value: unknown): value is Storage {
  return typeof value === 'object' && value !== null && 'elements' in value;
}

interface Archive {
  readonly file: string;
  /** Folder of all entries, with its slash. */
  readonly root: string;
  readonly entries: ReadonlyMap<string, Span>;
  /** Entries whose checksum was right. */
  readonly checked: Set<string>;
}

/** The storage of an id `('storage', class, key, device, elements)`. */
function storageOf(id: unknown, { file, root, entries, checked }: Archive): Storage {
  const [tag, type, key, , elements] = Array.isArray(id) ? (id as unknown[]) : [];
  const dtype = storageType(type);
  const isKnown = tag === 'storage' && typeof key === 'string' && typeof elements === 'number';
  if (!isKnown || !dtype) throw new UserError(`${file}: a storage of a kind that is not known`);
  const entry = `${root}data/${key}`;
  const span = entries.get(entry);
  const bytes = elements * dtypes[dtype].bytes;
  if (!span || span.length !== bytes)
    throw new UserError(
      `${file}: storage ${key} is ${bytes} bytes of ${dtype}, the archive holds ${span?.length ?? 'none'}`,
      { hint: 'the checkpoint is damaged; download it again' },
    );
  if (!checked.has(entry)) checkSum(file, entry, span);
  checked.add(entry);
  return { file, dtype, start: span.start, elements };
}

/** So much is read at once to be summed. */
const chunk = 8 << 20;

/** @throws UserError where an entry's bytes are not those that were written */
function checkSum(file: string, entry: string, { start, length, crc }: Span): void {
  if (crc === 0) return;
  let sum = 0;
  for (let at = 0; at < length; at += chunk)
    sum = crc32(readRange(file, start + at, Math.min(chunk, length - at)), sum);
  if (sum !== crc)
    throw new UserError(`${file}: ${entry} is damaged: its checksum is not the archive's`, {
      hint: 'download the checkpoint again',
    });
}

/** Where the entries of an archive lie. */
async function entriesOf(file: string): Promise<Map<string, Span>> {
  const size = fileSize(file);
  const entries = new Map<string, Span>();
  let zip: yauzl.ZipFile | undefined;
  try {
    zip = await yauzl.openPromise(file, { autoClose: false });
    for await (const entry of zip.eachEntry()) {
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      const span = { start: fileDataStart, length: entry.compressedSize };
      if (span.start + span.length > size)
        throw new UserError(`${file}: truncated within ${entry.fileName}`);
      const coded = entry.compressionMethod !== 0 || entry.isEncrypted();
      entries.set(entry.fileName, { ...span, coded, crc: entry.crc32 });
    }
    return entries;
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`${file}: damaged zip archive: ${(cause as Error).message}`, {
      hint: 'download the checkpoint again; a download that was cut short looks like this',
      cause,
    });
  } finally {
    zip?.close();
  }
}
