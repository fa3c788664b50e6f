/** What there is to know of a model before it is used. */
import { activeNodes } from '../autodiff/gradients.ts';
import { obstacles, type Obstacle } from '../autodiff/obstacles.ts';
import type { Card } from '../card/card.ts';
import { completeCard } from '../card/complete.ts';
import { readCard } from '../card/read.ts';
import { UserError } from '../errors.ts';
import { modelInput, type ModelInput } from '../onnx/dims.ts';
import { isFloat } from '../onnx/dtype.ts';
import { byteLength, initializerOf } from '../onnx/initializer.ts';
import { opsetOf, readModel, type OnnxModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { resolveGraph } from '../session/resolve.ts';
import { showShape, sizeOf } from '../tensor/tensor.ts';
import type { InspectValues } from './commands/inspect.ts';
import { painter, type Io } from './io.ts';
import { assumedSizes, refuseUnknown } from './sizes.ts';

interface Inspection {
  readonly file: string;
  readonly producer: string;
  readonly ir: number;
  readonly opset: number | null;
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly ModelInput[];
  readonly parameters: { readonly count: number; readonly bytes: number };
  /** How many nodes of each operator, the most frequent first. */
  readonly operators: Readonly<Record<string, number>>;
  readonly epsilonModel: EpsilonModel;
  readonly gradient: Gradient;
}

type EpsilonModel =
  | { readonly usable: true; readonly card: Card; readonly inferred: readonly string[] }
  | { readonly usable: false; readonly reason: string };

interface Gradient {
  readonly dims: Readonly<Record<string, number>>;
  /** Those of `dims` that were not given. */
  readonly assumed: readonly string[];
  readonly possible: boolean;
  readonly output?: string;
  readonly wrt?: string;
  /** Nodes between the two. */
  readonly nodes?: number;
  readonly obstacles?: readonly Obstacle[];
  /** Why it cannot even be tried. */
  readonly reason?: string;
}

/** @returns the exit code */
export async function inspectModel(
  file: string,
  { dim = {}, json }: InspectValues,
  io: Io,
): Promise<number> {
  const found = await inspection(file, dim);
  io.stdout.write(json ? `${JSON.stringify(found, undefined, 2)}\n` : page(found, io));
  return 0;
}

async function inspection(file: string, dims: Record<string, number>): Promise<Inspection> {
  const model = await readModel(file);
  const { proto, folder } = model;
  const constants = (proto.graph?.initializer ?? []).map((t) => initializerOf(t, folder));
  const counts = new Map<string, number>();
  const bodies = [...(proto.graph?.node ?? []), ...proto.functions.flatMap((f) => f.node)];
  for (const { opType, domain } of bodies) {
    const name = domain ? `${domain}.${opType}` : opType;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const inputs = modelInputs(model);
  refuseUnknown(inputs, dims, file);
  const outputs = (proto.graph?.output ?? []).map((o) => modelInput(o, file));
  const epsilonModel = await asEpsilonModel(file, inputs, outputs);
  return {
    file,
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(' '),
    ir: Number(proto.irVersion),
    opset: opsetOf(proto) ?? null,
    inputs,
    outputs,
    parameters: {
      count: constants.reduce((n, t) => n + (isFloat(t.dtype) ? sizeOf(t.shape) : 0), 0),
      bytes: constants.reduce((n, t) => n + byteLength(t), 0),
    },
    operators: Object.fromEntries(
      [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)),
    ),
    epsilonModel,
    gradient: await gradientOf(model, { inputs, outputs, dims, epsilonModel }),
  };
}

async function asEpsilonModel(
  file: string,
  inputs: readonly ModelInput[],
  outputs: readonly ModelInput[],
): Promise<EpsilonModel> {
  try {
    const { card } = await readCard(file);
    return { usable: true, ...completeCard(card, { inputs, outputs, where: file }) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { usable: false, reason: error.message };
  }
}

async function gradientOf(
  model: OnnxModel,
  given: {
    readonly inputs: readonly ModelInput[];
    readonly outputs: readonly ModelInput[];
    readonly dims: Readonly<Record<string, number>>;
    readonly epsilonModel: EpsilonModel;
  },
): Promise<Gradient> {
  const assumed = assumedSizes(given.inputs, given.dims);
  const sizes = { dims: { ...assumed, ...given.dims }, assumed: Object.keys(assumed) };
  const known = given.epsilonModel.usable ? given.epsilonModel.card : undefined;
  const output = known?.output ?? given.outputs[0]?.name;
  const wrt = known?.inputs.x ?? given.inputs.find((i) => isFloat(i.dtype))?.name;
  if (output === undefined || wrt === undefined)
    return { ...sizes, possible: false, reason: 'it has no float input or no output' };
  try {
    const graph = await resolveGraph(model, { dims: sizes.dims });
    const path = activeNodes(graph, [output], [wrt]);
    const found = obstacles(graph, path);
    const possible = path.nodes.length > 0 && found.length === 0;
    return { ...sizes, possible, output, wrt, nodes: path.nodes.length, obstacles: found };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { ...sizes, possible: false, output, wrt, reason: error.message };
  }
}

function page(found: Inspection, io: Io): string {
  const paint = painter(io.stdout, io.env);
  const section = (title: string, lines: readonly string[]): string =>
    [paint('bold', title), ...lines.map((line) => `  ${line}`), ''].join('\n');
  const { parameters, operators } = found;
  const values = (list: readonly ModelInput[]): string[] =>
    list.map((v) => `${v.name}  ${v.dtype}  ${showShape(v.shape.map((d) => d || '?'))}`);
  const nodes = Object.values(operators).reduce((n, count) => n + count, 0);
  return [
    section(found.file, [
      `opset ${found.opset ?? 'none'}, IR ${found.ir}${found.producer ? `, from ${found.producer}` : ''}`,
      `${scaled(parameters.count, '')} parameters, ${scaled(parameters.bytes, 'B')}`,
    ]),
    section('inputs', values(found.inputs)),
    section('outputs', values(found.outputs)),
    section(`operators (${nodes} nodes)`, columns(operators)),
    section('as an ε-model', showEpsilonModel(found.epsilonModel)),
    section('gradient', showGradient(found.gradient)),
  ].join('');
}

function showEpsilonModel(model: EpsilonModel): string[] {
  if (!model.usable) return [`no: ${model.reason}`];
  const { card, inferred } = model;
  const { name = 'no name', prediction, schedule, multiple } = card;
  return [
    `${name}: predicts ${prediction}, ${schedule.name} schedule of ${schedule.timesteps} steps, ` +
      `sides of multiples of ${multiple}`,
    ...inferred.map((line) => `inferred ${line}`),
  ];
}

function showGradient({ dims, assumed, output, wrt, nodes, ...found }: Gradient): string[] {
  const sizes = Object.entries(dims).map(([name, size]) => `${name}=${size}`);
  const where = [
    ...(sizes.length > 0 ? [`at ${sizes.join(' ')}`] : []),
    ...(assumed.length > 0 ? [`(${assumed.join(', ')} assumed; set with --dim)`] : []),
  ].join(' ');
  const head = [`of ${output} with respect to ${wrt}${where ? `, ${where}` : ''}`];
  if (found.reason !== undefined) return [...head, `cannot be told: ${found.reason}`];
  if (found.possible) return [...head, `yes: every node on the path has a rule (${nodes})`];
  if (nodes === 0) return [...head, `no: ${output} does not depend on ${wrt}`];
  return [
    ...head,
    `no: ${found.obstacles?.length} of ${nodes} nodes on the path stand in the way`,
    ...(found.obstacles ?? []).map(
      (o) => `  ${o.operator}  opset ${o.opset}  node ${o.node}  ${o.shapes}  (${o.reason})`,
    ),
  ];
}

/** As in `7.8 M` or `15.6 MB`. */
function scaled(n: number, unit: string): string {
  const [factor, prefix] = (
    [
      [1e9, 'G'],
      [1e6, 'M'],
      [1e3, 'k'],
    ] as const
  ).find(([f]) => n >= f) ?? [1, ''];
  const digits = factor === 1 ? String(n) : (n / factor).toFixed(1);
  return `${digits} ${prefix}${unit}`.trimEnd();
}

/** `Conv 58, Mul 40`, a few a line. */
function columns(counts: Readonly<Record<string, number>>): string[] {
  const items = Object.entries(counts).map(([name, n]) => `${name} ${n}`);
  return Array.from({ length: Math.ceil(items.length / 8) }, (_, i) =>
    items.slice(8 * i, 8 * i + 8).join(', '),
  );
}
