/**
 * What weights do not show of guided-diffusion networks: heads, order of attention, image size,
 * schedule. From the published configurations (the READMEs of openai/guided-diffusion and
 * openai/improved-diffusion, DPS configs).
 */
import { UserError } from '../../errors.ts';
import type { Structure } from './structure.ts';

/** How attention blocks cut their channels into heads. */
export type HeadRule = { readonly heads: number } | { readonly headChannels: number };

/** `legacy` cuts into heads first and then into q, k and v; `new` the other way round. */
export const attentionOrders = ['legacy', 'new'] as const;
export type AttentionOrder = (typeof attentionOrders)[number];

export interface Settings {
  readonly heads: HeadRule;
  readonly order: AttentionOrder;
  readonly schedule: Schedule;
  /** Side of the image. */
  readonly size: number;
}

interface Schedule {
  readonly name: 'linear' | 'scaled_linear' | 'cosine';
  readonly timesteps: number;
  /** The network counts its timesteps to 1000. */
  readonly rescaled: boolean;
}

/** Image size by the channels of each level, in multiples of the first width. */
const sizes: Readonly<Record<string, number>> = {
  '1,2,2,2': 32,
  '1,2,3,4': 64,
  '1,1,2,3,4': 128,
  '1,1,2,2,4,4': 256,
  '0.5,1,1,2,2,4,4': 512,
};

interface Published {
  readonly name: string;
  readonly size: number;
  readonly width: number;
  readonly blocks: number;
  /** Takes a low-resolution image beside the noisy one. */
  readonly upsampler?: boolean;
  /** `residual` if left out, as throughout guided-diffusion. */
  readonly resampling?: Structure['resampling'];
  readonly scaleShift?: boolean;
  readonly heads: HeadRule;
  readonly order?: AttentionOrder;
  readonly schedule?: Schedule;
}

const wide = { headChannels: 64 };
const four = { heads: 4 };
const usualSchedule: Schedule = { name: 'linear', timesteps: 1000, rescaled: false };
const cosine1000: Schedule = { ...usualSchedule, name: 'cosine' };
const cosine4000: Schedule = { name: 'cosine', timesteps: 4000, rescaled: true };
const convolution = { resampling: 'convolution' } as const;
const published: readonly Published[] = [
  { name: 'DPS FFHQ', size: 256, width: 128, blocks: 1, heads: wide },
  {
    name: 'OpenAI ImageNet 64',
    size: 64,
    width: 192,
    blocks: 3,
    heads: wide,
    order: 'new',
    schedule: cosine1000,
  },
  { name: 'OpenAI ImageNet 128', size: 128, width: 256, blocks: 2, heads: four },
  { name: 'OpenAI ImageNet and LSUN 256', size: 256, width: 256, blocks: 2, heads: wide },
  { name: 'OpenAI ImageNet 512', size: 512, width: 256, blocks: 2, heads: wide },
  { name: 'OpenAI 64 to 256', size: 256, width: 192, blocks: 2, heads: four, upsampler: true },
  { name: 'OpenAI 128 to 512', size: 512, width: 192, blocks: 2, heads: wide, upsampler: true },
  {
    name: 'improved-diffusion CIFAR-10',
    size: 32,
    width: 128,
    blocks: 3,
    heads: four,
    schedule: cosine4000,
    ...convolution,
  },
  {
    name: 'improved-diffusion ImageNet 64',
    size: 64,
    width: 128,
    blocks: 3,
    heads: four,
    schedule: cosine4000,
    ...convolution,
  },
  {
    name: 'improved-diffusion ImageNet 64, class-conditional',
    size: 64,
    width: 192,
    blocks: 3,
    heads: four,
    schedule: { ...cosine4000, rescaled: false },
    ...convolution,
  },
  {
    name: 'improved-diffusion 64 to 256',
    size: 256,
    width: 192,
    blocks: 2,
    upsampler: true,
    heads: four,
    schedule: { ...usualSchedule, timesteps: 4000 },
    ...convolution,
  },
  {
    name: 'improved-diffusion LSUN bedroom',
    size: 256,
    width: 128,
    blocks: 2,
    scaleShift: false,
    heads: { heads: 1 },
    ...convolution,
  },
];

export interface Choices {
  readonly heads?: number | undefined;
  readonly headChannels?: number | undefined;
  readonly order?: AttentionOrder | undefined;
  readonly size?: number | undefined;
  /** Name of the noise schedule, and its T. */
  readonly schedule?: Schedule['name'] | undefined;
  readonly timesteps?: number | undefined;
}

/**
 * What was chosen, and for the rest what is published of this network or usual in its family, with
 * a line for each that was not chosen.
 * @throws UserError where an image size cannot be told, or heads do not divide the channels
 */
export function settle(
  s: Structure,
  choices: Choices,
  where: string,
): { settings: Settings; inferred: string[] } {
  const inferred: string[] = [];
  const size = choices.size ?? sizeOfImages(s, where);
  const known = published.find(
    (p) =>
      s.kind === 'unet' &&
      s.resampling === (p.resampling ?? 'residual') &&
      s.scaleShift === (p.scaleShift ?? true) &&
      p.size === sizes[multiples(s)] &&
      p.width === s.width &&
      p.blocks === s.blocks &&
      (p.upsampler ?? false) === (s.inputs === 6),
  );
  const why = known ? `as published for ${known.name}` : 'usual for such networks';
  if (choices.size === undefined) inferred.push(`image size: ${size} (by its levels)`);
  const heads = chosenHeads(choices) ?? known?.heads ?? usualHeads(s);
  if (!chosenHeads(choices)) inferred.push(`${showHeads(heads)} (${why})`);
  const order = choices.order ?? known?.order ?? 'legacy';
  if (!choices.order) inferred.push(`attention order: ${order} (${why})`);
  const schedule = chosenSchedule(choices, known?.schedule ?? usualSchedule);
  if (!choices.schedule)
    inferred.push(
      `schedule: ${schedule.name}, ${schedule.timesteps} steps${schedule.rescaled ? ', timesteps counted to 1000' : ''} (${why})`,
    );
  checkHeads(s, heads, where);
  checkSize(s, size, where);
  return { settings: { heads, order, size, schedule }, inferred };
}

function chosenSchedule({ schedule: name, timesteps }: Choices, known: Schedule): Schedule {
  const chosen = { ...known, ...(name && { name }), ...(timesteps && { timesteps }) };
  return { ...chosen, rescaled: known.rescaled && chosen.timesteps !== 1000 };
}

function chosenHeads({ heads, headChannels }: Choices): HeadRule | undefined {
  if (headChannels !== undefined) return { headChannels };
  return heads === undefined ? undefined : { heads };
}

const showHeads = (rule: HeadRule): string =>
  'heads' in rule ? `heads: ${rule.heads}` : `channels a head: ${rule.headChannels}`;

/** improved-diffusion, which halves by convolutions, has four heads throughout. */
function usualHeads(s: Structure): HeadRule {
  return s.resampling === 'residual' || s.kind === 'encoder' ? wide : { heads: 4 };
}

const multiples = (s: Structure): string =>
  s.levels.map(({ channels }) => channels / s.width).join(',');

function sizeOfImages(s: Structure, where: string): number {
  const halvings = s.levels.length - 1;
  const size = s.poolSide === undefined ? sizes[multiples(s)] : s.poolSide * 2 ** halvings;
  if (size === undefined)
    throw new UserError(
      `${where}: the image size cannot be told from levels of ${s.levels.map((l) => l.channels).join(', ')} channels`,
      { hint: 'give the size that the network was trained at: --image-size 256' },
    );
  return size;
}

function checkSize(s: Structure, size: number, where: string): void {
  const multiple = 2 ** (s.levels.length - 1);
  if (size % multiple !== 0)
    throw new UserError(`${where}: image size ${size} is not a multiple of ${multiple}`, {
      hint: `the network halves the image ${s.levels.length - 1} times`,
    });
  if (s.poolSide !== undefined && size !== s.poolSide * multiple)
    throw new UserError(
      `${where}: its attention pool is for images of ${s.poolSide * multiple}, not ${size}`,
    );
}

/** Channels of every attention block; the deepest level always has one. */
export function headsAt(rule: HeadRule, channels: number): number {
  return 'heads' in rule ? rule.heads : channels / rule.headChannels;
}

function checkHeads(s: Structure, rule: HeadRule, where: string): void {
  const attending = s.levels.filter((l, i) => l.attention || i === s.levels.length - 1);
  const wrong = attending.find(({ channels }) => {
    const heads = headsAt(rule, channels);
    return !Number.isInteger(heads) || channels % heads !== 0;
  });
  if (wrong)
    throw new UserError(
      `${where}: ${showHeads(rule)} does not divide the ${wrong.channels} channels of an attention block`,
      { hint: 'say how the network was built: --heads N or --head-channels N' },
    );
}
