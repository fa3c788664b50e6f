/** What `dsg inspect` prints. */
import { emptyProcess, type Estimate } from '../pipeline/estimate.ts';
import type { Check, Fit } from '../pipeline/check.ts';
import { showDims, type ModelOutput } from '../onnx/dims.ts';
import type { Counts, EpsilonModel, Gradient, Inspection } from './inspection.ts';
import { painter, type Io } from './io.ts';
import { showDuration } from './progress.ts';

export function page(found: Inspection, io: Io): string {
  const paint = painter(io.stdout, io.env);
  const section = (title: string, lines: readonly string[]): string =>
    [paint('bold', title), ...lines.map((line) => `  ${line}`), ''].join('\n');
  const { parameters, operators } = found;
  const values = (list: readonly ModelOutput[]): string[] =>
    list.map((v) => `${v.name}  ${v.dtype}  ${showDims(v)}`);
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
    ...(found.estimate ? [section('a guided step, estimated', showEstimate(found.estimate))] : []),
    ...(found.check ? [section('check', showCheck(found.check))] : []),
  ].join('');
}

function showEpsilonModel(model: EpsilonModel): string[] {
  if (!model.usable) return [`no: ${model.reason}`];
  const { card, inferred, warnings } = model;
  const { name = 'no name', prediction, schedule, multiple, range, conditioning } = card;
  const { betaStart, betaEnd } = schedule;
  const ends =
    betaStart === undefined ? '' : `, beta ${betaStart} to ${betaEnd ?? 'the usual end'}`;
  const scale = card.timestepScale * (card.rescaleTimesteps ? 1000 / schedule.timesteps : 1);
  const fed = Object.entries(conditioning).map(([input, value]) =>
    typeof value === 'number' ? `${input}=${value}` : `${input}=${value.length} values`,
  );
  return [
    name,
    `predicts ${prediction}${card.learnedVariance ? ', and its variance' : ''}, of images in ${range}${card.clip ? ', clipped' : ''}`,
    `${schedule.name} schedule of ${schedule.timesteps} steps${ends}; timesteps times ${scale}`,
    `x '${card.inputs.x}', timestep '${card.inputs.timestep}', output '${card.output}'; sides of multiples of ${multiple}`,
    ...(fed.length > 0 ? [`conditioned on ${fed.join(', ')}`] : []),
    ...(card.source === undefined ? [] : [`source: ${card.source}`]),
    ...inferred.map((line) => `inferred ${line}`),
    ...warnings.map((line) => `warning: ${line}`),
  ];
}

function showEstimate({ flops, bytes, seconds }: Estimate): string[] {
  const total = emptyProcess + bytes.weights + bytes.values;
  return [
    `${scaled(flops.guided, 'FLOP')}, of which the network alone ${scaled(flops.forward, 'FLOP')}`,
    `memory ${scaled(total, 'B')}: ${scaled(bytes.values, 'B')} for values, ${scaled(bytes.weights, 'B')} for weights, the rest for the program`,
    `time ${showSeconds(seconds.guided)} on this CPU, the network alone ${showSeconds(seconds.forward)}`,
  ];
}

export function showSeconds(seconds: number): string {
  return seconds < 1 ? `${Math.ceil(seconds * 1000)} ms` : showDuration(seconds);
}

function showCheck({ levels, linear, claimed, best, verdict }: Check): string[] {
  const other = `as ${showReading(best)}`;
  const linearly = 'of the best linear guess';
  const wide = Math.max(linearly.length, best === claimed ? 0 : other.length);
  const row = (what: string, values: readonly number[]): string =>
    `${what.padEnd(wide)}${values.map((v) => v.toPrecision(2).padStart(9)).join('')}`;
  const conclusion = {
    right: 'right: it denoises as its card says',
    wrong: `wrong: it denoises better as ${showReading(best)}; its card says ${showReading(claimed)}`,
    unclear: `unclear: it does not denoise as ${showReading(claimed)}, nor well as anything else; the best is ${showReading(best)}`,
  }[verdict];
  return [
    row('noise', levels),
    row('error of eps', claimed.errors),
    ...(best === claimed ? [] : [row(other, best.errors)]),
    row(linearly, linear),
    conclusion,
    ...(verdict === 'wrong' ? [`to set it: ${flagsFor(claimed, best)}`] : []),
  ];
}

function showReading({ prediction, schedule, range, timestepScale }: Fit): string {
  const scale = timestepScale === 1 ? '' : `, timesteps times ${timestepScale}`;
  return `${prediction}, ${schedule}, ${range}${scale}`;
}

function flagsFor(claimed: Fit, best: Fit): string {
  return [
    best.prediction === claimed.prediction ? '' : `--card prediction=${best.prediction}`,
    best.schedule === claimed.schedule ? '' : `--card schedule.name=${best.schedule}`,
    best.range === claimed.range ? '' : `--card range=${best.range}`,
    best.timestepScale === claimed.timestepScale
      ? ''
      : `--card timestepScale=${best.timestepScale}`,
  ]
    .filter(Boolean)
    .join(' ');
}

function showGradient({
  dims,
  assumed,
  output,
  wrt,
  nodes,
  operators,
  depth,
  rounded,
  ...found
}: Gradient): string[] {
  const sizes = Object.entries(dims).map(([name, size]) => `${name}=${size}`);
  const where = [
    ...(sizes.length > 0 ? [`at ${sizes.join(' ')}`] : []),
    ...(assumed.length > 0 ? [`(${assumed.join(', ')} assumed; set with --dim)`] : []),
  ].join(' ');
  const head = [`of ${output} with respect to ${wrt}${where ? `, ${where}` : ''}`];
  if (found.reason !== undefined) return [...head, `cannot be told: ${found.reason}`];
  const path = [
    ...(rounded ? [`rounding to integers counts as the identity (${rounded})`] : []),
    `nodes of the longest chain: ${depth}`,
    ...columns(operators ?? {}),
  ];
  if (found.possible)
    return [...head, `yes: every node on the path has a rule (${nodes})`, ...path];
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
export function scaled(n: number, unit: string): string {
  const [factor, prefix] = (
    [
      [1e12, 'T'],
      [1e9, 'G'],
      [1e6, 'M'],
      [1e3, 'k'],
    ] as const
  ).find(([f]) => n >= f) ?? [1, ''];
  const digits = factor === 1 ? String(n) : (n / factor).toFixed(1);
  return `${digits} ${prefix}${unit}`.trimEnd();
}

/** `Conv 58, Mul 40`, a few a line. */
export function columns(counts: Counts): string[] {
  const items = Object.entries(counts).map(([name, n]) => `${name} ${n}`);
  return Array.from({ length: Math.ceil(items.length / 8) }, (_, i) =>
    items.slice(8 * i, 8 * i + 8).join(', '),
  );
}
