/** From a checkpoint to an ONNX model with its card. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { cardFile, metadataKey, type CardFile } from '../card/card.ts';
import { overrideCard, type CardOverrides } from '../card/override.ts';
import { cardPath } from '../card/read.ts';
import { UserError } from '../errors.ts';
import { writeAtomic } from '../files/atomic.ts';
import { fileFailure } from '../files/failure.ts';
import { sha256 } from '../files/sha256.ts';
import { constantBytes } from '../onnx/peak.ts';
import { refuseNoModel, writeGraph } from '../onnx/write.ts';
import { anchors as admAnchors } from './adm/structure.ts';
import { importAdm, type AdmOptions } from './adm/import.ts';
import { anchors as ddpmAnchors, importDdpm } from './ddpm/import.ts';
import { anchors as diffusersAnchors, importDiffusers, weightsIn } from './diffusers/import.ts';
import type { Imported } from './imported.ts';
import { networkIn, type Found } from './network-in.ts';
import { readCheckpoint, type Checkpoint, type StateDict } from './state.ts';

export interface ImportOptions extends AdmOptions {
  /** Key of the weights to take, where the file holds several; the averaged ones if left out. */
  readonly weights?: string | undefined;
  /** `config.json` of a diffusers network; the one beside the weights if left out. */
  readonly config?: string | undefined;
  /** These count more than what the checkpoint says or is known for. */
  readonly prediction?: CardFile['prediction'];
  /** Any fields of the card, which count most. */
  readonly card?: CardOverrides | undefined;
}

export interface ImportResult {
  /** The model, its card and, for a large one, its weights. */
  readonly files: readonly string[];
  readonly card: CardFile;
  /** Size of the weights. */
  readonly bytes: number;
  /** What was chosen or inferred, a line each. */
  readonly notes: readonly string[];
}

/** Models with more weights than this keep them in a file of their own, from which they are mapped. */
const largestInline = 64 << 20;

/**
 * Writes `output`, `NAME.card.json` beside it and, for a large network, `output.data`.
 * @param source a checkpoint, or a diffusers folder
 * @param output ends in `.onnx`
 * @throws UserError for a checkpoint that is damaged, unsafe, incomplete or of another family
 */
export async function importCheckpoint(
  source: string,
  output: string,
  options: ImportOptions = {},
): Promise<ImportResult> {
  refuseNoModel(output);
  const found = await stat(source).catch((error: unknown) => {
    throw fileFailure('read', source, error);
  });
  const file = found.isDirectory() ? weightsIn(source) : source;
  const { imported, notes } = await network(file, options);
  const card: CardFile = {
    name: path.basename(output, '.onnx'),
    ...overridden(imported.card, options),
    source: `${path.basename(file)}, SHA-256 ${await sha256(file)}`,
  };
  const bytes = constantBytes(imported.graph);
  const external = bytes > largestInline;
  await writeGraph(imported.graph, output, {
    open: imported.open,
    metadata: { [metadataKey]: JSON.stringify(cardFile.parse(card)) },
    ...(external ? { externalFrom: 1024 } : {}),
  }).catch((error: unknown) => {
    throw fileFailure('write', output, error);
  });
  const beside = { ...card, sha256: await sha256(output) };
  await writeAtomic(cardPath(output), `${JSON.stringify(cardFile.parse(beside), undefined, 2)}\n`);
  return {
    files: [output, ...(external ? [`${output}.data`] : []), cardPath(output)],
    card: beside,
    bytes,
    notes,
  };
}

function overridden(card: CardFile, options: ImportOptions): CardFile {
  const { prediction = card.prediction, schedule: name, timesteps } = options;
  // The ends of one schedule mean nothing to another.
  const known = name === undefined || name === card.schedule?.name ? card.schedule : undefined;
  const schedule = {
    name: name ?? card.schedule?.name ?? 'linear',
    timesteps: timesteps ?? card.schedule?.timesteps ?? 1000,
  };
  return overrideCard(
    { ...card, ...(prediction && { prediction }), schedule: { ...known, ...schedule } },
    options.card ?? {},
  );
}

interface Network {
  readonly imported: Imported;
  readonly notes: readonly string[];
}

/** The best of the weights in the file that are those of a network that is known. */
async function network(file: string, options: ImportOptions): Promise<Network> {
  const checkpoints = await chosen(file, options.weights);
  for (const { state, notes } of checkpoints) {
    const found = await recognised(state, file, options);
    if (found) return { ...found, notes: [...notes, ...found.notes] };
  }
  const names = [...checkpoints[0].state.keys()];
  throw new UserError(
    `${file}: of no family that is known: among its ${names.length} tensors are ${names.slice(0, 3).join(', ')}`,
    {
      hint: 'networks of guided-diffusion and DDPM, and diffusers UNet2DModel, are imported; export others to ONNX',
    },
  );
}

/** @throws UserError where there are no weights under a key that was asked for */
async function chosen(
  file: string,
  key: string | undefined,
): Promise<readonly [Checkpoint, ...Checkpoint[]]> {
  const all = await readCheckpoint(file);
  if (key === undefined) return all;
  const found = all.find((c) => c.key === key);
  if (found) return [found];
  throw new UserError(
    `${file}: no weights under '${key}'; there are: ${all.map((c) => c.key).join(', ')}`,
  );
}

/** Recognises the family by the names of the weights. */
async function recognised(
  state: StateDict,
  file: string,
  options: ImportOptions,
): Promise<Network | undefined> {
  const withNotes = (found: Found, imported: Imported): Network => ({
    imported,
    notes: [...found.notes, ...imported.inferred],
  });
  const adm = networkIn(state, admAnchors);
  if (adm) return withNotes(adm, importAdm(adm.weights, options, file));
  const diffusers = networkIn(state, diffusersAnchors);
  if (diffusers)
    return withNotes(diffusers, await importDiffusers(diffusers.weights, file, options));
  const ddpm = networkIn(state, ddpmAnchors);
  return ddpm && withNotes(ddpm, importDdpm(ddpm.weights, file, options));
}
