/** A tokenizer and the network of texts that it belongs to. */
import { UserError } from '../errors.ts';
import { showDims, type ModelInput } from '../onnx/dims.ts';
import type { Graph, Value } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { resolveGraph } from '../session/resolve.ts';
import { openGraph, type SessionOptions } from '../session/session.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { TextTokenizer, Tokens } from '../text/tokenizer.ts';

export interface TextNetwork {
  /** The ONNX file: takes tokens `[1,L]` and, if it has such an input, an attention mask. */
  readonly file: string;
  readonly tokenizer: TextTokenizer;
  /** Its folder. */
  readonly folder: string;
  /** What the mask lets it see: the text alone, as in transformers, or padding too, as in diffusers. */
  readonly sees: 'text' | 'padding';
  /** The embedding among the outputs. @throws UserError where it is none of them */
  readonly embedding: (outputs: readonly Value[]) => Value;
}

/**
 * The embedding `[1,...]` of each text.
 * @throws UserError for a network of another form, or one that the tokenizer does not belong to
 */
export async function embedTokens(
  network: TextNetwork,
  texts: readonly Tokens[],
  options: SessionOptions = {},
): Promise<Tensor[]> {
  const { context } = network.tokenizer;
  const onnx = await readModel(network.file);
  const inputs = modelInputs(onnx);
  checkInputs(network, inputs);
  const shapes = Object.fromEntries(inputs.map(({ name }) => [name, [1, context]]));
  const graph = await resolveGraph(onnx, { shapes });
  checkVocabulary(network, graph, inputs.find((i) => !isMask(i))?.name ?? '');
  const output = network.embedding(graph.outputs);
  const session = await openGraph({ ...graph, outputs: [output] }, options);
  try {
    const embedded: Tensor[] = [];
    for (const text of texts) {
      const feeds = inputs.map((input) => [input.name, feedOf(network, input, text)] as const);
      const found = await session.run(Object.fromEntries(feeds));
      embedded.push(found[output.name] as Tensor);
    }
    return embedded;
  } finally {
    await session.release();
  }
}

function isMask({ name }: ModelInput): boolean {
  return /mask/i.test(name);
}

function feedOf({ sees }: TextNetwork, input: ModelInput, { ids, length }: Tokens): Tensor {
  const seen = sees === 'padding' ? ids.length : length;
  const values = isMask(input) ? ids.map((_, i) => Number(i < seen)) : ids;
  return tensor([1, ids.length], Float32Array.from(values));
}

function checkInputs(network: TextNetwork, inputs: readonly ModelInput[]): void {
  const { file, tokenizer } = network;
  const { context } = tokenizer;
  const wrong = inputs.find(({ shape }) => shape.length !== 2);
  if (wrong || inputs.length === 0)
    throw new UserError(
      `${file}: no network of texts: ${wrong ? `input '${wrong.name}' is ${showDims(wrong)}, tokens are [1,${context}]` : 'it has no input'}`,
    );
  const length = inputs.map((i) => i.shape[1]).find((d) => typeof d === 'number' && d !== context);
  if (length !== undefined)
    throw mismatch(network, `it takes ${length} tokens, and the tokenizer gives ${context}`);
}

/** Tables of embeddings are padded to a multiple of this at the most. */
const padding = 128;

function checkVocabulary(network: TextNetwork, graph: Graph, ids: string): void {
  const { vocabulary } = network.tokenizer;
  const rows = tableOf(graph, ids)?.shape[0];
  if (rows !== undefined && (rows < vocabulary || rows >= vocabulary + padding))
    throw mismatch(network, `it knows ${rows} tokens, and the tokenizer ${vocabulary}`);
}

function mismatch({ file, folder }: TextNetwork, how: string): UserError {
  return new UserError(`${folder}: not the tokenizer of ${file}: ${how}`, {
    hint: 'both belong to one model: copy its tokenizer folder again',
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
