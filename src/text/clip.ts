/** CLIP's tokenizer as its vocabulary and merges alone define it, in the form of a tokenizer.json. */

export interface Ends {
  readonly begin: string;
  readonly end: string;
  readonly unknown: string;
  readonly pad: string;
}

/** What CLIP splits a text into before bytes are merged: ends, contractions, letters, single digits. */
const pieces =
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

/**
 * Radford et al. 2021 (CLIP), section 2.4: byte pairs of lower-cased text. Text is composed (NFC) and
 * white space is one blank, as transformers does; its older, slow tokenizer repaired broken encodings
 * besides, where the package ftfy was there.
 * @param vocabulary number of each token
 * @param merges pairs in the order of their rank
 */
export function clipTokenizer(
  vocabulary: Readonly<Record<string, number>>,
  merges: readonly (readonly [string, string])[],
  ends: Ends,
): object {
  const special = [...new Set(Object.values(ends))].flatMap((content) => {
    const id = vocabulary[content];
    return id === undefined ? [] : [{ id, content, ...plain }];
  });
  const of = (token: string): [string, number] => [token, vocabulary[token] ?? 0];
  return {
    version: '1.0',
    added_tokens: special,
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: pieces }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: of(ends.end),
      cls: of(ends.begin),
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      unk_token: ends.unknown,
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: vocabulary,
      merges,
    },
  };
}

const plain = {
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
} as const;
