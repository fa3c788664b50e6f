/** Prompts as the condition of a network. */
import path from 'node:path';
import { UserError } from '../../errors.ts';
import type { Graph, Value } from '../../onnx/graph.ts';
import { readModel } from '../../onnx/read.ts';
import { modelInputs } from '../../onnx/skeleton.ts';
import { resolveGraph } from '../../session/resolve.ts';
import { openGraph, type SessionOptions } from '../../session/session.ts';
import { tensor, type Tensor } from '../../tensor/tensor.ts';
import { openTokenizer, type TextTokenizer } from '../../text/tokenizer.ts';
import type { Condition } from '../condition.ts';
import type { Model } from '../model.ts';

export interface Prompt {
  readonly prompt: string;
  /** What classifier-free guidance goes away from; nothing in particular if left out. */
  readonly negative?: string | undefined;
}

export interface Prompted {
  readonly condition: Condition;
  /** A line for each text that was too long. */
  readonly warnings: readonly string[];
}

/**
 * The condition of a prompt, and of the negative one, embedded by the pipeline's text network.
 * A text that is longer than its context is cut off, as everywhere.
 * @throws UserError for a model without prompts, or a tokenizer that does not match the text network
 */
export async function promptCondition(
  model: Model,
  { prompt, negative = '' }: Prompt,
  session: SessionOptions = {},
): Promise<Prompted> {
  const { file, card, parts } = model;
  if (!card.text || !parts?.textEncoder || !parts.tokenizer)
    throw new UserError(`${file}: the model is told no prompts`, {
      hint: 'prompts are for the folder of a text-to-image pipeline: see docs/latent.md',
    });
  const tokenizer = await openTokenizer(parts.tokenizer);
  const texts = [prompt, negative].map((text) => ({ text, ...tokenizer.encode(text) }));
  const { input } = card.text;
  const [given, none] = await embed(
    model,
    tokenizer,
    texts.map((t) => t.ids),
    session,
  );
  const fed = (embedding: Tensor | undefined) => ({ [input]: embedding as Tensor });
  return {
    condition: { given: fed(given), none: fed(none) },
    warnings: texts
      .filter((t) => t.dropped !== '')
      .map(
        ({ text, length, dropped }) =>
          `'${text.slice(0, 24)}${text.length > 24 ? '…' : ''}' is ${length} tokens and the text network takes ${tokenizer.context}; left out: '${dropped}'`,
      ),
  };
}

/** `[tokens,features]` of each. */
async function embed(
  model: Model,
  tokenizer: TextTokenizer,
  texts: readonly (readonly number[])[],
  session: SessionOptions,
): Promise<Tensor[]> {
  const file = model.parts?.textEncoder as string;
  const onnx = await readModel(file);
  const inputs = modelInputs(onnx);
  const { context } = tokenizer;
  const fixed = inputs.find((i) => typeof i.shape[1] === 'number' && i.shape[1] !== context);
  if (fixed)
    throw mismatch(model, `it takes ${fixed.shape[1]} tokens, and the tokenizer gives ${context}`);
  const shapes = Object.fromEntries(inputs.map(({ name }) => [name, [1, context]]));
  const graph = await resolveGraph(onnx, { shapes });
  const ids = inputs.find((i) => i.name !== 'attention_mask')?.name ?? '';
  const table = tableOf(graph, ids);
  if (table && table.shape[0] !== tokenizer.vocabulary)
    throw mismatch(
      model,
      `it knows ${table.shape[0]} tokens, and the tokenizer ${tokenizer.vocabulary}`,
    );
  const output = graph.outputs.find((o) => o.name === 'last_hidden_state') ?? graph.outputs[0];
  const features = modelInputs(model.onnx).find((i) => i.name === model.card.text?.input)?.shape[2];
  if (typeof features === 'number' && output?.shape[2] !== features)
    throw new UserError(
      `${file}: gives ${output?.shape[2]} features a token, and ${path.basename(model.file)}/unet takes ${features}`,
      { hint: 'the text network belongs to another pipeline' },
    );
  const opened = await openGraph({ ...graph, outputs: output ? [output] : [] }, session);
  try {
    const embedded: Tensor[] = [];
    for (const text of texts) {
      const feeds = Object.fromEntries(
        inputs.map(({ name }) => {
          const values = name === ids ? text : text.map(() => 1);
          return [name, tensor([1, context], Float32Array.from(values))];
        }),
      );
      const { shape, data } = Object.values(await opened.run(feeds))[0] as Tensor;
      embedded.push(tensor(shape.slice(1), data));
    }
    return embedded;
  } finally {
    await opened.release();
  }
}

function mismatch({ parts }: Model, how: string): UserError {
  return new UserError(`${parts?.tokenizer}: not the tokenizer of ${parts?.textEncoder}: ${how}`, {
    hint: 'both come from one pipeline: copy its tokenizer folder again',
  });
}

const passes = new Set(['Cast', 'Flatten', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze']);

/** The table of embeddings `[tokens,features]` that a network looks its ids up in. */
function tableOf(graph: Graph, ids: string): Value | undefined {
  const same = new Set([ids]);
  for (const { opType, input, output } of graph.nodes) {
    if (passes.has(opType) && same.has(input[0] ?? '')) for (const name of output) same.add(name);
    const table = graph.values.get(input[0] ?? '');
    if (opType === 'Gather' && same.has(input[1] ?? '') && table?.shape.length === 2) return table;
  }
  return undefined;
}
