/** No device is trusted unseen: before a graph's first use on one, a step is compared with the CPU. */
import { UserError } from '../errors.ts';
import type { Graph } from '../onnx/graph.ts';
import { isFloat } from '../onnx/dtype.ts';
import { chooseDevice } from '../session/device.ts';
import type { Precision } from '../session/precision.ts';
import type { SessionOptions } from '../session/session.ts';
import { gaussian, noiseKey } from '../tensor/noise.ts';
import { showShape, tensor, type Tensor } from '../tensor/tensor.ts';
import { firstDisagreement, relativeErrors, type Disagreement } from './agreement.ts';

/** ‖device − CPU‖ / ‖CPU‖ by output of the graph. */
export type Verdict = Readonly<Record<string, number>>;

/**
 * How far a device may be from the CPU in float32. Rounding stays well below, in float32 also where
 * convolutions are computed in TF32; a wrong kernel is far beyond.
 */
const tolerances: Readonly<Record<Precision, number>> = {
  fp32: 0.02,
  fp16: 0.1,
  bf16: 0.25,
};

export interface Trial {
  /** As the CPU computes it. */
  readonly graph: Graph;
  /** As the device is given it. */
  readonly written: Graph;
  readonly session: SessionOptions;
  /** What goes into inputs that do not take just any number. */
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** What messages call the model. */
  readonly where: string;
}

/**
 * Compares one run with the CPU's.
 * @throws UserError naming the first layer that disagrees
 */
export async function trust({ where, ...trial }: Trial): Promise<Verdict> {
  const compared = { ...trial, feeds: exampleFeeds(trial.graph, trial.feeds) };
  const { device: wanted = 'cpu', precision = 'fp32' } = trial.session;
  const device = chooseDevice(wanted);
  const tolerance = tolerances[precision];
  const errors = await relativeErrors(compared);
  const wrong = Object.entries(errors).filter(([, error]) => !(error <= tolerance));
  if (wrong.length === 0) return errors;
  const outputs = wrong.map(([name, error]) => `${name} by ${showError(error)}`).join(', ');
  const first = await firstDisagreement(compared, tolerance);
  throw new UserError(
    `${where}: device ${device} computes something else than the CPU: ${outputs}\n  ${showFirst(first)}`,
    { hint: 'use --device cpu; a newer driver may help, `dsg doctor` checks the device' },
  );
}

function showFirst(first: Disagreement | undefined): string {
  if (!first) return 'each layer by itself agrees: the device goes wrong where it fuses them';
  const { operator, node, value, pass, error } = first;
  const shape = showShape(value.shape);
  return `the first layer that does, in the ${pass} pass: ${operator} ${node} -> ${shape}, by ${showError(error)}`;
}

/** As in `4e-6`, or `105 %` where it is much. */
export function showError(error: number): string {
  return error < 0.001 ? error.toExponential(0) : `${(100 * error).toPrecision(2)} %`;
}

/**
 * Feeds for every input: those given, and of what is left small normal numbers for floats, as an
 * image has, and zeros for indices.
 */
function exampleFeeds(
  graph: Graph,
  given: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  const key = noiseKey(0, 'trust');
  return Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }, i) => {
      if (given[name]) return [name, given[name]];
      const { data } = gaussian(key, 'sample', i, shape);
      return [
        name,
        tensor(
          shape,
          data.map((v) => (isFloat(dtype) ? 0.3 * v : 0)),
        ),
      ];
    }),
  );
}
