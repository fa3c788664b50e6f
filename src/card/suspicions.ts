/** Signs that a network is not what a card, or its absence, makes of it. */
import type { NodeProto } from 'onnx-buf';
import { isFloat } from '../onnx/dtype.ts';
import { float32Values, initializerOf, numbers } from '../onnx/initializer.ts';
import { collectConstants } from '../onnx/constants.ts';
import type { OnnxModel } from '../onnx/read.ts';
import type { Card, CardFile } from './card.ts';

/**
 * A line for each sign, with what to do about it. Names are a hint and nothing more; shapes,
 * operators and weights are facts.
 * @param given what the card says, or is told by flags, before anything is inferred
 */
export function suspicions(
  model: OnnxModel,
  card: Card,
  given: CardFile,
  channels: number,
): string[] {
  const graph = model.proto.graph;
  if (!graph) return [];
  const { constants, nodes } = collectConstants(model, graph);
  const number = (name: string | undefined): number | undefined => {
    const constant = constants.get(name ?? '');
    return constant?.shape.every((d) => d === 1) ? numbers(constant)[0] : undefined;
  };
  const last = lastOf(nodes, card.output);
  const says = [
    model.proto.producerName,
    graph.name,
    graph.docString,
    card.output,
    ...model.proto.metadataProps.map((p) => `${p.key} ${p.value}`),
    model.where,
  ].join(' ');
  return [
    given.prediction === undefined && /v[-_ ]?pred|velocity/i.test(says)
      ? 'its names speak of v-prediction, and no card says what it predicts: try --card prediction=v and --check'
      : '',
    given.prediction === undefined && /(x_?0|x_?start|sample)[-_ ]?pred|denoised/i.test(says)
      ? 'its names speak of predicting x0: try --card prediction=x0 and --check'
      : '',
    given.range === undefined && normalizesItself(nodes, card.inputs.x, number)
      ? 'it maps its input from [0,1] to [-1,1] itself: set --card range=[0,1]'
      : '',
    last?.opType === 'Sigmoid' || last?.opType === 'Tanh'
      ? `its output is a ${last.opType}, as of images in ${last.opType === 'Sigmoid' ? '[0,1]' : '[-1,1]'} rather than of noise`
      : '',
    (channels === 4 || channels === 16) && !card.latent
      ? `images of ${channels} channels are latents: they need their autoencoder, so give --model the folder of the whole pipeline`
      : '',
    !card.text && graph.input.some((i) => /encoder_hidden_states|text|prompt/i.test(i.name))
      ? 'it is conditioned on text: what the card feeds takes the place of a prompt'
      : '',
    [...constants.values()].some((t) => t.dtype === 'float16')
      ? 'float16 weights are computed with in float32'
      : '',
    ...brokenWeights(model),
  ].filter(Boolean);
}

/** The node that computes a value, behind renaming and casts. */
function lastOf(nodes: readonly NodeProto[], name: string | undefined): NodeProto | undefined {
  const node = nodes.find((n) => name !== undefined && n.output.includes(name));
  const passes = node?.opType === 'Identity' || node?.opType === 'Cast';
  return passes ? lastOf(nodes, node.input[0]) : node;
}

/** 2 x − 1 right at the input, in either of its spellings. */
function normalizesItself(
  nodes: readonly NodeProto[],
  x: string,
  number: (name: string | undefined) => number | undefined,
): boolean {
  const user = (name: string | undefined): NodeProto | undefined =>
    nodes.find((n) => name !== undefined && n.input.includes(name));
  const first = user(x);
  const second = user(first?.output[0]);
  const operand = (node: NodeProto | undefined): number | undefined =>
    number(node?.input[0]) ?? number(node?.input[1]);
  const isShift = (node: NodeProto | undefined, by: number): boolean =>
    (node?.opType === 'Sub' && operand(node) === by) ||
    (node?.opType === 'Add' && operand(node) === -by);
  const isScale = (node: NodeProto | undefined): boolean =>
    (node?.opType === 'Mul' && operand(node) === 2) ||
    (node?.opType === 'Div' && operand(node) === 0.5);
  return (isScale(first) && isShift(second, 1)) || (isShift(first, 0.5) && isScale(second));
}

/** Names a few of the weights that hold NaN or infinities: no run with them can come to anything. */
function brokenWeights({ proto, folder }: OnnxModel): string[] {
  const broken = (proto.graph?.initializer ?? []).filter((tensor) => {
    const weight = initializerOf(tensor, folder);
    return isFloat(weight.dtype) && float32Values(weight).some((v) => !Number.isFinite(v));
  });
  if (broken.length === 0) return [];
  const names = broken.slice(0, 3).map((t) => t.name);
  const more = broken.length > 3 ? `, and ${broken.length - 3} more` : '';
  return [`NaN or infinite weights: ${names.join(', ')}${more}`];
}
