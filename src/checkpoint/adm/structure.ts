/**
 * The architecture of a guided-diffusion network, read from the names and shapes of its weights.
 * Blocks: `input_blocks.0` is the first convolution, then each level has its residual blocks and,
 * but for the last, one that halves; `output_blocks` mirrors that.
 */
import { UserError } from '../../errors.ts';
import type { StateDict } from '../state.ts';

export interface Level {
  readonly channels: number;
  readonly attention: boolean;
}

/** Hyper-parameters of `UNetModel` and `EncoderUNetModel` (Dhariwal & Nichol 2021). */
export interface Structure {
  /** A whole UNet, or its first half with a classifier's head. */
  readonly kind: 'unet' | 'encoder';
  readonly inputs: number;
  readonly outputs: number;
  readonly width: number;
  readonly levels: readonly Level[];
  /** Residual blocks a level. */
  readonly blocks: number;
  readonly resampling: 'residual' | 'convolution' | 'plain';
  readonly scaleShift: boolean;
  /** Number of classes of a class-conditional network. */
  readonly classes: number | undefined;
  /** Side of the grid that an attention pool was trained for. */
  readonly poolSide: number | undefined;
}

/** Names that every guided-diffusion network has. */
export const anchors = ['input_blocks.0.0.weight', 'time_embed.0.weight'] as const;

/** @throws UserError where no architecture of the family comes near the names */
export function structureOf(state: StateDict, where: string): Structure {
  const dim = (name: string, axis: number): number | undefined => state.get(name)?.shape[axis];
  const first = state.get(anchors[0])?.shape;
  const width = dim(anchors[1], 1);
  if (first?.length !== 4 || !width)
    throw new UserError(`${where}: ${anchors.join(' or ')} is not the weight of a 2-D network`);
  const evidence = evidenceIn(state);
  // Only a halving without weights leaves a gap, and none follows another.
  const present = [...evidence.modules].filter((m) => /^input_blocks\.\d+\.0$/.test(m)).length;
  if (evidence.inputs > 2 * present)
    throw new UserError(
      `${where}: of ${evidence.inputs} input_blocks only ${present} have weights`,
      { hint: 'the checkpoint is incomplete' },
    );
  const kind = evidence.modules.has('output_blocks.0.0') ? 'unet' : 'encoder';
  const period = periodOf(evidence, kind, where);
  const count = evidence.inputs / period;
  const levels = Array.from({ length: count }, (_, level) => {
    const own = Array.from({ length: period - 1 }, (_, i) => level * period + 1 + i);
    const channels = own.map((i) => channelsAt(state, i)).find((c) => c !== undefined);
    if (!channels)
      throw new UserError(`${where}: input_blocks.${own.join(', input_blocks.')} have no weights`);
    return { channels, attention: own.some((i) => evidence.attention(i)) };
  });
  const odd = [width, ...levels.map((l) => l.channels)].find((n) => n > mostChannels || n < 1);
  const ungrouped = odd ?? levels.map((l) => l.channels).find((n) => n % normalizationGroups !== 0);
  if (ungrouped !== undefined)
    throw new UserError(
      `${where}: a layer of ${ungrouped} channels, expected a multiple of ${normalizationGroups} up to ${mostChannels}`,
    );
  const boundaries = Array.from({ length: count - 1 }, (_, i) => (i + 1) * period);
  return {
    kind,
    inputs: first[1] as number,
    outputs: outputsOf(state, kind, where),
    width,
    levels,
    blocks: period - 1,
    resampling: boundaries.some((i) => evidence.residual(i))
      ? 'residual'
      : boundaries.some((i) => evidence.convolution(i))
        ? 'convolution'
        : 'plain',
    scaleShift:
      (dim('input_blocks.1.0.emb_layers.1.weight', 0) ??
        dim('input_blocks.1.0.emb_layers.1.bias', 0)) ===
      2 * (levels[0] as Level).channels,
    classes: dim('label_emb.weight', 0),
    poolSide: poolSideOf(dim('out.2.positional_embedding', 1)),
  };
}

/** Channels are normalized in so many groups throughout the family. */
export const normalizationGroups = 32;
/** Beyond this a shape is damage, not design. */
const mostChannels = 65536;

/** What the names say of each block. */
interface Evidence {
  /** Number of input blocks. */
  readonly inputs: number;
  /** `input_blocks.3.0` and the like, without what lies within. */
  readonly modules: ReadonlySet<string>;
  readonly residual: (input: number) => boolean;
  readonly convolution: (input: number) => boolean;
  readonly attention: (input: number) => boolean;
  /** Whether a block also changes its number of channels. */
  readonly widens: (input: number) => boolean;
  /** Whether an output block ends in what doubles the size; undefined where that has no weights. */
  readonly doubles: (output: number) => boolean;
}

function evidenceIn(state: StateDict): Evidence {
  const names = [...state.keys()];
  const modules = new Set(
    names.flatMap((name) => /^(?:in|out)put_blocks\.\d+\.\d+/.exec(name)?.[0] ?? []),
  );
  const parts = new Set(
    names.flatMap((name) => /^(?:in|out)put_blocks\.\d+\.\d+\.[a-z_]+/.exec(name)?.[0] ?? []),
  );
  const isResidual = (module: string): boolean =>
    ['in_layers', 'emb_layers', 'out_layers'].some((part) => parts.has(`${module}.${part}`));
  const indices = [...modules].flatMap((m) => /^input_blocks\.(\d+)/.exec(m)?.[1] ?? []);
  return {
    inputs: Math.max(...indices.map(Number)) + 1,
    modules,
    residual: (i) => isResidual(`input_blocks.${i}.0`),
    convolution: (i) => parts.has(`input_blocks.${i}.0.op`),
    attention: (i) => modules.has(`input_blocks.${i}.1`),
    widens: (i) => parts.has(`input_blocks.${i}.0.skip_connection`),
    doubles: (i) =>
      [1, 2].some(
        (j) => isResidual(`output_blocks.${i}.${j}`) || parts.has(`output_blocks.${i}.${j}.conv`),
      ),
  };
}

/**
 * Blocks from one halving to the next. Names do not say which blocks halve, but a halving has no
 * attention and keeps its channels, only the block after it changes them, the blocks of a level
 * attend or do not, and output blocks show what doubles.
 */
function periodOf(e: Evidence, kind: Structure['kind'], where: string): number {
  const candidates = Array.from({ length: e.inputs }, (_, i) => i + 1)
    .filter((period) => period > 1 && e.inputs % period === 0)
    .map((period) => ({ period, faults: faultsOf(e, kind, period) }))
    .sort((a, b) => a.faults - b.faults);
  const [best, next] = candidates;
  if (!best)
    throw new UserError(`${where}: ${e.inputs} input blocks do not make equal levels`, {
      hint: 'the checkpoint is incomplete, or of a network that only resembles guided-diffusion',
    });
  if (next?.faults === best.faults)
    throw new UserError(
      `${where}: the names fit levels of ${best.period - 1} and of ${next.period - 1} residual blocks equally well`,
    );
  return best.period;
}

function faultsOf(e: Evidence, kind: Structure['kind'], period: number): number {
  let faults = 0;
  const expect = (holds: boolean): void => void (faults += Number(!holds));
  for (let i = 1; i < e.inputs; i++) {
    if (i % period === 0) expect(!e.attention(i) && !e.widens(i));
    else expect(e.residual(i) && (!e.widens(i) || i % period === 1));
    if (i % period > 1) expect(e.attention(i) === e.attention(i - 1));
  }
  const plain = !e.residual(period) && !e.convolution(period);
  if (kind === 'unet' && !plain)
    for (let i = 0; i < e.inputs; i++)
      expect(e.doubles(i) === ((i + 1) % period === 0 && i + 1 < e.inputs));
  return faults;
}

function channelsAt(state: StateDict, input: number): number | undefined {
  const block = `input_blocks.${input}.0`;
  return ['in_layers.2.weight', 'in_layers.2.bias', 'out_layers.0.weight', 'out_layers.3.bias']
    .map((part) => state.get(`${block}.${part}`)?.shape[0])
    .find((channels) => channels !== undefined);
}

function outputsOf(state: StateDict, kind: Structure['kind'], where: string): number {
  const heads = kind === 'unet' ? ['out.2.bias'] : ['out.2.c_proj.bias', 'out.3.bias'];
  const found = heads.map((name) => state.get(name)?.shape[0]).find((n) => n !== undefined);
  if (found === undefined)
    throw new UserError(`${where}: missing: ${heads.join(' or ')}`, {
      hint: 'the checkpoint is incomplete, or a classifier with a pool other than attention or adaptive',
    });
  return found;
}

/** An attention pool has one place for the mean and one for each of the grid. */
function poolSideOf(places: number | undefined): number | undefined {
  return places === undefined ? undefined : Math.round(Math.sqrt(places - 1));
}
