/** Prompts as the condition of a network. */
import path from 'node:path';
import { UserError } from '../../errors.ts';
import type { Value } from '../../onnx/graph.ts';
import { modelInputs } from '../../onnx/skeleton.ts';
import type { SessionOptions } from '../../session/session.ts';
import { tensor } from '../../tensor/tensor.ts';
import { openTokenizer } from '../../text/tokenizer.ts';
import type { Condition, Feeds } from '../condition.ts';
import type { Model } from '../model.ts';
import { embedTokens, type TextNetwork } from '../text-network.ts';

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
  const { input } = card.text;
  const tokenizer = await openTokenizer(parts.tokenizer);
  const texts = [prompt, negative].map((text) => ({ text, ...tokenizer.encode(text) }));
  const network = {
    file: parts.textEncoder,
    tokenizer,
    folder: parts.tokenizer,
    sees: 'padding',
    embedding: (outputs) => hiddenState(model, outputs),
  } as const satisfies TextNetwork;
  const embedded = await embedTokens(network, texts, session);
  const [given, none] = embedded.map(({ shape, data }) => ({
    [input]: tensor(shape.slice(1), data),
  })) as [Feeds, Feeds];
  return {
    condition: { given, none },
    warnings: texts
      .filter((t) => t.dropped !== '')
      .map(
        ({ text, length, dropped }) =>
          `'${text.slice(0, 24)}${text.length > 24 ? '…' : ''}' is ${length} tokens and the text network takes ${tokenizer.context}; left out: '${dropped}'`,
      ),
  };
}

/** What the network is told: `[1,tokens,features]`. */
function hiddenState({ file, onnx, card, parts }: Model, outputs: readonly Value[]): Value {
  const output = outputs.find((o) => o.name === 'last_hidden_state') ?? outputs[0];
  const features = modelInputs(onnx).find((i) => i.name === card.text?.input)?.shape[2];
  if (output && (typeof features !== 'number' || output.shape[2] === features)) return output;
  throw new UserError(
    `${parts?.textEncoder}: gives ${output?.shape[2]} features a token, and ${path.basename(file)}/unet takes ${features}`,
    { hint: 'the text network belongs to another pipeline' },
  );
}
