/** Fills in what a model's card leaves out, from the names and shapes in its file. */
import type { NodeProto } from 'onnx-buf';
import { UserError } from '../errors.ts';
import { showDims, type ModelInput, type ModelOutput } from '../onnx/dims.ts';
import { isFloat } from '../onnx/dtype.ts';
import type { Card, CardFile } from './card.ts';
import { downsampling } from './multiple.ts';

export interface Signature {
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly ModelOutput[];
  /** Of the main graph, where they are at hand: they tell how deep the network is. */
  readonly nodes?: readonly NodeProto[];
  readonly where: string;
}

/** Depth of networks that hide theirs: three halvings are the least that ε-models in use have. */
const usualMultiple = 8;

/**
 * A complete card, and a line for each field that was inferred rather than read.
 * @throws UserError if the model is no ε-model: it does not take one image and one timestep
 */
export function completeCard(said: CardFile, model: Signature): { card: Card; inferred: string[] } {
  const given = withoutFixedClass(said);
  const inferred: string[] = [];
  const note = <T>(field: string, value: T, why: string): T => {
    inferred.push(
      `${field}: ${typeof value === 'string' ? value : JSON.stringify(value)} (${why})`,
    );
    return value;
  };
  const x = imageInput(given, model);
  const timestep = timestepInput(given, model, x);
  const conditioning = given.conditioning ?? {};
  const others = model.inputs.filter((i) => i !== x && i !== timestep);
  const told = [given.classes?.input, given.text?.input];
  const unfed = others.filter((i) => !(i.name in conditioning) && !told.includes(i.name));
  if (unfed.length > 0)
    throw new UserError(
      `${model.where}: the model has inputs that nothing feeds: ${unfed.map(show).join(', ')}`,
      { hint: `set each in the card, or by flag: --card conditioning.${unfed[0]?.name}=0` },
    );
  const fedClass = given.classes?.input;
  if (fedClass !== undefined && !others.some((i) => i.name === fedClass))
    throw new UserError(
      `${model.where}: the card's classes go to '${fedClass}', which the model does not take`,
      { hint: `its inputs are ${model.inputs.map(show).join(', ')}` },
    );
  const unknown = Object.keys(conditioning).filter((name) => !others.some((i) => i.name === name));
  if (unknown.length > 0)
    throw new UserError(
      `${model.where}: the card conditions on ${unknown.map((name) => `'${name}'`).join(', ')}, which the model does not take`,
      { hint: `its inputs are ${model.inputs.map(show).join(', ')}` },
    );
  const output = model.outputs.find((o) => o.name === (given.output ?? model.outputs[0]?.name));
  if (!output)
    throw new UserError(
      `${model.where}: no output '${given.output}'; there are: ${model.outputs.map(show).join(', ')}`,
    );
  const channels = x.shape[1];
  const doubled = typeof channels === 'number' && output.shape?.[1] === 2 * channels;
  const card: Card = {
    ...given,
    inputs: { x: x.name, timestep: timestep.name },
    output: output.name,
    learnedVariance:
      given.learnedVariance ?? note('learnedVariance', doubled, `output is ${showDims(output)}`),
    prediction: given.prediction ?? note('prediction', 'epsilon', 'the usual one'),
    clip: given.clip ?? true,
    range: given.range ?? (given.prediction ? '[-1,1]' : note('range', '[-1,1]', 'the usual one')),
    schedule:
      given.schedule ??
      note('schedule', { name: 'linear', timesteps: 1000 }, 'the usual one for pixel models'),
    rescaleTimesteps: given.rescaleTimesteps ?? false,
    timestepScale: given.timestepScale ?? 1,
    conditioning,
    multiple: given.multiple ?? inferMultiple(model, x.name, note),
    presets: given.presets ?? 'article',
  };
  return { card, inferred };
}

/** Of a class-conditional network that is fed one class throughout, as of any that is told none. */
function withoutFixedClass({ classes, ...rest }: CardFile): CardFile {
  const fixed = classes && classes.input in (rest.conditioning ?? {});
  return classes && !fixed ? { classes, ...rest } : rest;
}

function inferMultiple(
  { nodes }: Signature,
  x: string,
  note: (field: string, value: number, why: string) => number,
): number {
  const depth = nodes && downsampling(nodes, x);
  if (depth === undefined) return note('multiple', usualMultiple, 'its depth cannot be told');
  return note('multiple', depth, depth === 1 ? 'it keeps the size' : 'its down-sampling');
}

function imageInput(given: CardFile, model: Signature): ModelInput {
  const named = given.inputs?.x;
  const found = model.inputs.find((i) =>
    named === undefined ? isFloat(i.dtype) && i.shape.length === 4 : i.name === named,
  );
  if (found?.shape.length === 4) return found;
  throw new UserError(
    `${model.where}: no image input [N,C,H,W]${named ? ` named '${named}'` : ''}; the model takes ${model.inputs.map(show).join(', ') || 'nothing'}`,
    { hint: 'an ε-model takes a noisy image and a timestep' },
  );
}

function timestepInput(given: CardFile, model: Signature, x: ModelInput): ModelInput {
  const named = given.inputs?.timestep;
  const found = model.inputs.find((i) =>
    named === undefined
      ? i !== x && i.shape.length <= 1 && i.name !== given.classes?.input
      : i.name === named,
  );
  if (found) return found;
  throw new UserError(
    `${model.where}: no timestep input (a scalar or [N])${named ? ` named '${named}'` : ''}; the model takes ${model.inputs.map(show).join(', ')}`,
    { hint: 'an ε-model takes a noisy image and a timestep' },
  );
}

function show(value: ModelOutput): string {
  return `${value.name} ${value.dtype} ${showDims(value)}`;
}
