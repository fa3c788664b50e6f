/** What there is to know of a model before it is used. */
import { activeNodes, type Path } from '../autodiff/gradients.ts';
import { obstacles, roundedCount, type Obstacle } from '../autodiff/obstacles.ts';
import type { Card } from '../card/card.ts';
import { overrideCard, type CardOverrides } from '../card/override.ts';
import { readCard } from '../card/read.ts';
import { suspicions } from '../card/suspicions.ts';
import { UserError } from '../errors.ts';
import { modelOutput, type ModelInput, type ModelOutput } from '../onnx/dims.ts';
import { isFloat } from '../onnx/dtype.ts';
import type { Graph } from '../onnx/graph.ts';
import { initializerOf, weightsAmong } from '../onnx/initializer.ts';
import { opsetOf, readModel, type OnnxModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { checkModel, type Check } from '../pipeline/check.ts';
import { estimateStep, type Estimate } from '../pipeline/estimate.ts';
import { isFolder } from '../files/read.ts';
import { graphFor, loadModel, type Model } from '../pipeline/model.ts';
import { resolveGraph } from '../session/resolve.ts';
import type { InspectValues } from './commands/inspect.ts';
import { page } from './inspection-page.ts';
import type { Io } from './io.ts';
import { cardOverrides } from './model-card.ts';
import { anotherFile } from './preparing.ts';
import { modelFacts } from './sidecar.ts';
import { assumedSizes, refuseUnknown } from './sizes.ts';

export interface Inspection {
  readonly file: string;
  readonly producer: string;
  readonly ir: number;
  readonly opset: number | null;
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly ModelOutput[];
  readonly parameters: { readonly count: number; readonly bytes: number };
  /** How many nodes of each operator, the most frequent first. */
  readonly operators: Counts;
  readonly epsilonModel: EpsilonModel;
  readonly gradient: Gradient;
  /** Of a guided step, at the sizes of the gradient. */
  readonly estimate?: Estimate;
  readonly check?: Check;
}

export type Counts = Readonly<Record<string, number>>;

export type EpsilonModel =
  | {
      readonly usable: true;
      readonly card: Card;
      readonly inferred: readonly string[];
      readonly warnings: readonly string[];
    }
  | { readonly usable: false; readonly reason: string };

export interface Gradient {
  readonly dims: Readonly<Record<string, number>>;
  /** Those of `dims` that were not given. */
  readonly assumed: readonly string[];
  readonly possible: boolean;
  readonly output?: string;
  readonly wrt?: string;
  /** Nodes between the two. */
  readonly nodes?: number;
  /** Of these nodes, how many of each operator. */
  readonly operators?: Counts;
  /** Nodes of the longest chain among them. */
  readonly depth?: number;
  /** Values on the path that are rounded to integers, which gradients pass straight through. */
  readonly rounded?: number;
  readonly obstacles?: readonly Obstacle[];
  /** Why it cannot even be tried. */
  readonly reason?: string;
}

/** @returns the exit code: 3 if `--check` finds that the network does not denoise as its card says */
export async function inspectModel(file: string, values: InspectValues, io: Io): Promise<number> {
  if (isFolder(file))
    return (await import('./pipeline-inspection.ts')).inspectPipeline(file, values, io);
  const found = await inspection(file, values);
  io.stdout.write(values.json ? `${JSON.stringify(found, undefined, 2)}\n` : page(found, io));
  return found.check && found.check.verdict !== 'right' ? 3 : 0;
}

async function inspection(file: string, values: InspectValues): Promise<Inspection> {
  const { dim: dims = {} } = values;
  const { overrides, warnings } = await cardOverrides(values);
  const onnx = await readModel(file);
  const { proto, folder } = onnx;
  const constants = (proto.graph?.initializer ?? []).map((t) => initializerOf(t, folder));
  const inputs = modelInputs(onnx);
  refuseUnknown(inputs, dims, file);
  const outputs = (proto.graph?.output ?? []).map((o) => modelOutput(o, file));
  const model = await loaded(file, overrides);
  if (values.check && 'reason' in model)
    throw new UserError(`--check is for ε-models: ${model.reason}`);
  const { gradient, graph } = await gradientOf(onnx, { inputs, outputs, dims, model });
  const usable = 'reason' in model ? undefined : model;
  return {
    file,
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(' '),
    ir: Number(proto.irVersion),
    opset: opsetOf(proto) ?? null,
    inputs,
    outputs,
    parameters: weightsAmong(constants),
    operators: countOperators([
      ...(proto.graph?.node ?? []),
      ...proto.functions.flatMap((f) => f.node),
    ]),
    epsilonModel: await described(onnx, model, overrides, warnings),
    gradient,
    ...(usable && graph && gradient.possible && { estimate: await estimateStep(graph, usable) }),
    ...(usable &&
      graph &&
      values.check && { check: await checkModel(usable, canvasOf(graph, usable)) }),
  };
}

type Loaded = Model | { readonly reason: string };

async function loaded(file: string, overrides: CardOverrides): Promise<Loaded> {
  try {
    return await loadModel(file, overrides);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { reason: error.hint === undefined ? error.message : `${error.message}; ${error.hint}` };
  }
}

async function described(
  onnx: OnnxModel,
  model: Loaded,
  overrides: CardOverrides,
  warnings: readonly string[],
): Promise<EpsilonModel> {
  if ('reason' in model) return { usable: false, reason: model.reason };
  const { card, inferred, channels, file } = model;
  const given = overrideCard((await readCard(file, onnx)).card, overrides);
  const found = suspicions(onnx, card, given, channels);
  const other = anotherFile(model, await modelFacts(model));
  const all = [...warnings, ...model.warnings, ...other, ...found];
  return { usable: true, card, inferred, warnings: all };
}

function canvasOf(graph: Graph, { card }: Model): { height: number; width: number } {
  const [, , height = 0, width = 0] = graph.values.get(card.inputs.x)?.shape ?? [];
  return { height, width };
}

function countOperators(nodes: readonly { opType: string; domain: string }[]): Counts {
  const counts = new Map<string, number>();
  for (const { opType, domain } of nodes) {
    const name = domain ? `${domain}.${opType}` : opType;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}

async function gradientOf(
  onnx: OnnxModel,
  given: {
    readonly inputs: readonly ModelInput[];
    readonly outputs: readonly ModelOutput[];
    readonly dims: Readonly<Record<string, number>>;
    readonly model: Loaded;
  },
): Promise<{ gradient: Gradient; graph?: Graph }> {
  const assumed = assumedSizes(given.inputs, given.dims);
  const sizes = { dims: { ...assumed, ...given.dims }, assumed: Object.keys(assumed) };
  const model = 'reason' in given.model ? undefined : given.model;
  const output = model?.card.output ?? given.outputs[0]?.name;
  const wrt = model?.card.inputs.x ?? given.inputs.find((i) => isFloat(i.dtype))?.name;
  if (output === undefined || wrt === undefined)
    return {
      gradient: { ...sizes, possible: false, reason: 'it has no float input or no output' },
    };
  try {
    const resolved = await resolveGraph(onnx, { dims: sizes.dims });
    const graph = model ? await graphFor(model, 1, canvasOf(resolved, model)) : resolved;
    const path = activeNodes(graph, [output], [wrt]);
    const found = obstacles(graph, path);
    const possible = path.nodes.length > 0 && found.length === 0;
    const facts = {
      nodes: path.nodes.length,
      operators: countOperators(path.nodes),
      depth: depth(path),
      rounded: roundedCount(graph, path),
    };
    return { gradient: { ...sizes, possible, output, wrt, ...facts, obstacles: found }, graph };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { gradient: { ...sizes, possible: false, output, wrt, reason: error.message } };
  }
}

/** Nodes of the longest chain. */
function depth({ nodes }: Path): number {
  const chains = new Map<string, number>();
  let longest = 0;
  for (const node of nodes) {
    const chain = 1 + Math.max(0, ...node.input.map((name) => chains.get(name) ?? 0));
    for (const name of node.output) chains.set(name, chain);
    longest = Math.max(longest, chain);
  }
  return longest;
}
