/** Texts as the numbers that text networks take. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { readJson } from '../files/json.ts';
import { readBytes } from '../files/read.ts';
import { clipTokenizer, type Ends } from './clip.ts';

export interface Tokens {
  /** As many as the context holds: begin, text, end, and padding. */
  readonly ids: readonly number[];
  /** How many of them are the text's own and its two ends, before anything was cut off. */
  readonly length: number;
  /** What did not fit and was left out; empty where all did. */
  readonly dropped: string;
}

export interface TextTokenizer {
  /** How many different tokens there are. */
  readonly vocabulary: number;
  /** How many a text network takes, ends included: 77 for CLIP. */
  readonly context: number;
  encode(text: string): Tokens;
}

/** Of CLIP; other tokenizers say theirs. */
const usualContext = 77;

/** Tokens are written as themselves, or as an object with flags. */
const token = z
  .union([z.string(), z.looseObject({ content: z.string() })])
  .transform((t) => (typeof t === 'string' ? t : t.content));
const settings = z.looseObject({
  bos_token: token.nullish(),
  eos_token: token.nullish(),
  unk_token: token.nullish(),
  pad_token: token.nullish(),
  model_max_length: z.number().nullish(),
});

/**
 * The tokenizer in a folder: `tokenizer.json`, or CLIP's `vocab.json` and `merges.txt`; ends, padding
 * and context from `tokenizer_config.json` and `special_tokens_map.json`, where there are.
 * @throws UserError for a folder without either, or a damaged file
 */
export async function openTokenizer(folder: string): Promise<TextTokenizer> {
  const at = (name: string): string => path.join(folder, name);
  const said = { ...(await ifThere(at('special_tokens_map.json'))) };
  const config = { ...said, ...(await ifThere(at('tokenizer_config.json'))) };
  const known = settings.safeParse(config);
  if (!known.success)
    throw new UserError(`${at('tokenizer_config.json')}: ${known.error.issues[0]?.message}`);
  const { bos_token, eos_token, unk_token, pad_token, model_max_length } = known.data;
  const end = eos_token ?? '<|endoftext|>';
  const begin = bos_token ?? '<|startoftext|>';
  const ends = { begin, end, unknown: unk_token ?? end, pad: pad_token ?? end };
  const definition = existsSync(at('tokenizer.json'))
    ? asObject(await readJson(at('tokenizer.json')), at('tokenizer.json'))
    : await fromMerges(at('vocab.json'), at('merges.txt'), ends);
  const tokenizer = opened(definition, config, folder);
  const longest = model_max_length ?? usualContext;
  // Transformers writes an astronomic number where it does not know.
  return withContext(tokenizer, ends, longest > 1e6 ? usualContext : longest, folder);
}

function opened(definition: object, config: object, folder: string): Tokenizer {
  try {
    return new Tokenizer(definition, config);
  } catch (cause) {
    throw new UserError(
      `${folder}: not a tokenizer that can be used: ${(cause as Error).message}`,
      {
        hint: 'save it again with transformers: AutoTokenizer.from_pretrained(…).save_pretrained(…)',
        cause,
      },
    );
  }
}

function withContext(
  tokenizer: Tokenizer,
  { end, pad }: Ends,
  context: number,
  folder: string,
): TextTokenizer {
  const numberOf = (name: string): number => {
    const id = tokenizer.token_to_id(name);
    if (id === undefined) throw new UserError(`${folder}: its vocabulary has no '${name}'`);
    return id;
  };
  const [last, padding] = [numberOf(end), numberOf(pad)];
  const lowers = `${tokenizer.encode('A').ids}` === `${tokenizer.encode('a').ids}`;
  return {
    vocabulary: tokenizer.get_vocab().size,
    context,
    encode(text) {
      // JavaScript alone lowers a sigma by its place in the word.
      const { ids } = tokenizer.encode(lowers ? text.replaceAll('Σ', 'σ') : text);
      const { length } = ids;
      if (length <= context)
        return {
          ids: [...ids, ...new Array<number>(context - length).fill(padding)],
          length,
          dropped: '',
        };
      const dropped = tokenizer
        .decode(ids.slice(context - 1, -1))
        .replaceAll('</w>', ' ')
        .trim();
      return { ids: [...ids.slice(0, context - 1), last], length, dropped };
    },
  };
}

async function fromMerges(vocabFile: string, mergesFile: string, ends: Ends): Promise<object> {
  for (const file of [vocabFile, mergesFile])
    if (!existsSync(file))
      throw new UserError(`${file}: no such file, and no tokenizer.json beside it`, {
        hint: 'a tokenizer is tokenizer.json, or vocab.json with merges.txt',
      });
  const vocabulary = z.record(z.string(), z.int()).safeParse(await readJson(vocabFile));
  if (!vocabulary.success) throw new UserError(`${vocabFile}: expected a number for each token`);
  const lines = (await readBytes(mergesFile)).toString('utf8').split(/\r?\n/);
  const pairs = lines
    .filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')))
    .map((line) => line.split(' '));
  const odd = pairs.find((pair) => pair.length !== 2);
  if (odd) throw new UserError(`${mergesFile}: expected two parts a line, got '${odd.join(' ')}'`);
  return clipTokenizer(vocabulary.data, pairs as [string, string][], ends);
}

async function ifThere(file: string): Promise<object> {
  return existsSync(file) ? asObject(await readJson(file), file) : {};
}

function asObject(content: unknown, file: string): object {
  if (typeof content === 'object' && content !== null) return content;
  throw new UserError(`${file}: expected an object`);
}
