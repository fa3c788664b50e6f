/** Losses that the options ask for: loaded, recorded, and in words. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import { isFile } from '../files/read.ts';
import type { Loss } from '../losses/loss.ts';
import type { ImageShape } from '../operators/operator.ts';
import { findFeatureCard } from '../pipeline/feature-card.ts';
import { contentOfFile } from '../pipeline/content.ts';
import { loadLosses, type Wish, type WishedLosses } from '../pipeline/losses.ts';
import { sha256 } from '../files/sha256.ts';
import type { lossOptions } from './loss-options.ts';
import { networkFacts } from './network-facts.ts';
import type { Values } from './options.ts';

export interface Aims {
  /** How many there are. */
  readonly count: number;
  /** @throws UserError for a target of another size, or a network that does not suit */
  of(image: ImageShape): Promise<readonly Loss[]>;
  /** What sidecars and digests have of them; nothing where there are none. */
  readonly record: { readonly losses?: readonly object[] };
  /** As in `style through vgg.onnx + 0.5 color`; empty where there are none. */
  readonly words: readonly string[];
}

/** @throws UserError for a network that cannot be read, or targets that do not match */
export async function openAims(values: Values<typeof lossOptions>): Promise<Aims> {
  const wishes = wishesOf(values);
  const { of, contents } = await loadLosses(wishes);
  const losses = await recordWishes(wishes, contents);
  return {
    count: wishes.length,
    of,
    record: losses.length > 0 ? { losses } : {},
    words: showWishes(wishes),
  };
}

/** The target of an onnx loss that has none, where another of that kind has one. */
const noTarget = 'none';

/** @throws UserError for more or fewer targets than losses that take one */
function wishesOf({ loss = [], target = [] }: Values<typeof lossOptions>): Wish[] {
  // A loss of kind onnx may be one of the image alone.
  const needy = loss.filter((l) => l.kind !== 'onnx');
  const takers = target.length === loss.length ? loss : needy;
  if (target.length !== takers.length)
    throw new UserError(
      `${loss.length} --loss and ${target.length} --target: expected one for each that needs one`,
      {
        hint: `targets belong to losses in their order; '${noTarget}' is that of an onnx loss without`,
      },
    );
  const targets = target.values();
  return loss.map((spec) => {
    const found = takers.includes(spec) ? targets.next().value : undefined;
    const without = found === undefined || (spec.kind === 'onnx' && found === noTarget);
    return without ? spec : { ...spec, target: found };
  });
}

/** Options, and digests of the files that they name. */
async function recordWishes(
  wishes: readonly Wish[],
  contents: WishedLosses['contents'],
): Promise<object[]> {
  return Promise.all(
    wishes.map(async ({ network, target, tokenizer, tower, ...rest }, i) => {
      const content = contents[i];
      const card = network === undefined ? undefined : await findFeatureCard(network);
      return {
        ...rest,
        ...(network !== undefined && content && { network: networkFacts(network, content) }),
        ...(card && { card }),
        ...(target !== undefined && { target: await targetFacts(target) }),
        ...(tokenizer !== undefined && { tokenizer: await folderFacts(tokenizer) }),
        ...(tower !== undefined && { tower: networkFacts(tower, await contentOfFile(tower)) }),
      };
    }),
  );
}

async function fileFacts(file: string): Promise<{ file: string; sha256: string }> {
  return { file: path.basename(file), sha256: await sha256(file) };
}

async function targetFacts(target: string): Promise<object | string> {
  return isFile(target) ? fileFacts(target) : target;
}

async function folderFacts(folder: string): Promise<object[]> {
  const files = [
    'tokenizer.json',
    'vocab.json',
    'merges.txt',
    'tokenizer_config.json',
    'special_tokens_map.json',
  ];
  const there = files.map((f) => path.join(folder, f)).filter(isFile);
  return Promise.all(there.map(fileFacts));
}

function showWishes(wishes: readonly Wish[]): string[] {
  if (wishes.length === 0) return [];
  const terms = wishes.map(({ kind, network, weight }) => {
    const through = network === undefined ? '' : ` through ${path.basename(network)}`;
    return `${weight === undefined ? '' : `${weight} `}${kind}${through}`;
  });
  return [terms.join(' + ')];
}
