/** A text as an embedding, by the tokenizer and the network of texts that the user has. */
import { UserError } from '../errors.ts';
import type { ModelInput } from '../onnx/dims.ts';
import { readModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { resolveGraph } from '../session/resolve.ts';
import { openGraph } from '../session/session.ts';
import { showShape, tensor, type Tensor } from '../tensor/tensor.ts';
import { openTokenizer, type Tokens } from '../text/tokenizer.ts';
import type { LossSpec } from './loss-spec.ts';

/**
 * The embedding `[D]` of a text. The network takes tokens `[1,L]` (`input_ids`) and, if it has such
 * an input, an attention mask; its embedding is the output `text_embeds`, or the first of rank 2.
 * @throws UserError for a text that is longer than the context, or a network of another form
 */
export async function embedText(
  { tokenizer, tower }: Pick<LossSpec, 'tokenizer' | 'tower'>,
  text: string,
): Promise<Tensor> {
  if (tokenizer === undefined || tower === undefined)
    throw new UserError(`text: '${text}' needs a tokenizer and the network of texts`, {
      hint: 'add tokenizer=FOLDER and tower=TEXT.onnx to the loss, or give the .npy of an embedding',
    });
  const { encode, context } = await openTokenizer(tokenizer);
  const tokens = encode(text);
  if (tokens.length > context)
    throw new UserError(
      `text: ${tokens.length} tokens, and the context holds ${context}: '${tokens.dropped}' does not fit`,
      { hint: 'shorten the text' },
    );
  const model = await readModel(tower);
  const inputs = modelInputs(model);
  const shapes = Object.fromEntries(inputs.map((i) => [i.name, [1, context]]));
  const wrong = inputs.find(({ shape }) => shape.length !== 2);
  if (wrong || inputs.length === 0)
    throw new UserError(
      `${tower}: no network of texts: ${wrong ? `input '${wrong.name}' is ${showShape(wrong.shape.map((d) => d || '?'))}, tokens are [1,${context}]` : 'it has no input'}`,
    );
  const graph = await resolveGraph(model, { shapes });
  const output =
    graph.outputs.find((o) => o.name === 'text_embeds') ??
    graph.outputs.find((o) => o.shape.length === 2);
  if (!output)
    throw new UserError(`${tower}: none of its outputs is an embedding [1,D]`, {
      hint: 'export the text tower with its projection',
    });
  const session = await openGraph({ ...graph, outputs: [output] });
  try {
    const found = await session.run(
      Object.fromEntries(inputs.map((input) => [input.name, feedOf(input, tokens)])),
    );
    const { data } = found[output.name] as Tensor;
    return tensor([data.length], data);
  } finally {
    await session.release();
  }
}

function feedOf({ name }: ModelInput, { ids, length }: Tokens): Tensor {
  const isMask = /mask/i.test(name);
  const values = isMask ? ids.map((_, i) => Number(i < length)) : ids;
  return tensor([1, ids.length], Float32Array.from(values));
}
