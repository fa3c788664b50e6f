/** A text as an embedding, by the tokenizer and the network of texts that the user has. */
import { UserError } from '../errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { openTokenizer } from '../text/tokenizer.ts';
import type { LossSpec } from './loss-spec.ts';
import { embedTokens, type TextNetwork } from './text-network.ts';

/**
 * The embedding `[D]` of a text: the output `text_embeds`, or the first of rank 2.
 * @throws UserError for a text that is longer than the context, or a network of another form
 */
export async function embedText(
  { tokenizer: folder, tower: file }: Pick<LossSpec, 'tokenizer' | 'tower'>,
  text: string,
): Promise<Tensor> {
  if (folder === undefined || file === undefined)
    throw new UserError(`text: '${text}' needs a tokenizer and the network of texts`, {
      hint: 'add tokenizer=FOLDER and tower=TEXT.onnx to the loss, or give the .npy of an embedding',
    });
  const tokenizer = await openTokenizer(folder);
  const tokens = tokenizer.encode(text);
  if (tokens.length > tokenizer.context)
    throw new UserError(
      `text: ${tokens.length} tokens, and the context holds ${tokenizer.context}: '${tokens.dropped}' does not fit`,
      { hint: 'shorten the text' },
    );
  const network = {
    file,
    tokenizer,
    folder,
    sees: 'text',
    embedding: (outputs) => {
      const found =
        outputs.find((o) => o.name === 'text_embeds') ?? outputs.find((o) => o.shape.length === 2);
      if (found) return found;
      throw new UserError(`${file}: none of its outputs is an embedding [1,D]`, {
        hint: 'export the text tower with its projection',
      });
    },
  } as const satisfies TextNetwork;
  const [embedding] = await embedTokens(network, [tokens]);
  const { data } = embedding as Tensor;
  return tensor([data.length], data);
}
