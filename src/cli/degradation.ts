/** How an image was, or is to be, degraded: what the options come to. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import { fit, type FitMode, type Size } from '../image/fit.ts';
import { boxMask, inpainting, randomMask } from '../operators/inpainting.ts';
import { readKernel, readMask, type Degradation } from '../pipeline/degradation.ts';
import type { Task } from '../pipeline/tasks.ts';
import { valuesHash } from '../pipeline/record.ts';
import type { NoiseKey } from '../tensor/noise.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { usualDegradation as usual, type DegradationValues } from './degradation-options.ts';

/** A degradation before the image is known: a mask may yet have to be drawn for its size. */
export type Plan =
  | Exclude<Degradation, { task: 'inpaint' }>
  | { readonly task: 'inpaint'; readonly mask: Tensor | 'random' | 'box' };

/** A plan, and what to say of the files that it was read from, one line each. */
export interface NotedPlan {
  readonly plan: Plan;
  readonly notes: readonly string[];
}

/**
 * What the options ask for; masks and kernels are read here, once.
 * @throws UserError if the task is missing or a file cannot be read
 */
export async function planOf(values: DegradationValues): Promise<NotedPlan> {
  refuseForeign(values, values.task);
  switch (values.task) {
    case undefined:
      throw new UserError('which degradation? there is no --task', {
        hint: 'give --task inpaint, --task sr or --task deblur',
      });
    case 'inpaint': {
      const given = values.mask ?? usual.mask;
      if (given === 'random' || given === 'box')
        return { plan: { task: 'inpaint', mask: given }, notes: [] };
      const { values: mask, notes } = await readMask(given);
      return { plan: { task: 'inpaint', mask }, notes: about(given, notes) };
    }
    case 'sr':
      return { plan: { task: 'sr', scale: values.scale ?? usual.scale }, notes: [] };
    case 'deblur':
      if (values.kernel === undefined) {
        const { kernelSize: size = usual.size, kernelStd: std = usual.std } = values;
        return { plan: { task: 'deblur', size, std }, notes: [] };
      }
      if (values.kernelSize !== undefined || values.kernelStd !== undefined)
        throw new UserError('--kernel replaces the Gaussian of --kernel-size and --kernel-std', {
          hint: 'leave out one or the other',
        });
      const { values: kernel, notes } = await readKernel(values.kernel);
      return { plan: { task: 'deblur', kernel }, notes: about(values.kernel, notes) };
  }
}

function about(file: string, notes: readonly string[]): string[] {
  return notes.map((note) => `${file}: ${note}`);
}

/** σ of the noise: to simulate, or of a measurement that nothing is known of. */
export function sigmaOf(values: DegradationValues): number {
  return values.noise ?? usual.sigma;
}

/**
 * What sidecars have of where a mask or kernel comes from, beside its digest: the name of its file, or how
 * the mask is drawn. Nothing where no option says it, as with an operator record.
 */
export function sourceOf(
  { mask, kernel, simulate }: DegradationValues & { readonly simulate: boolean },
  task: Task,
): { readonly mask?: string; readonly kernel?: string } {
  if (task === 'deblur' && kernel !== undefined) return { kernel: path.basename(kernel) };
  const from = mask ?? (simulate ? usual.mask : undefined);
  return task === 'inpaint' && from !== undefined ? { mask: path.basename(from) } : {};
}

const belongsTo = [
  ['mask', '--mask', 'inpaint'],
  ['scale', '--scale', 'sr'],
  ['kernelSize', '--kernel-size', 'deblur'],
  ['kernelStd', '--kernel-std', 'deblur'],
  ['kernel', '--kernel', 'deblur'],
] as const;

/** @throws UserError for an option that belongs to another task */
function refuseForeign(values: DegradationValues, task: Task | undefined): void {
  for (const [key, name, owner] of belongsTo)
    if (values[key] !== undefined && task !== undefined && owner !== task)
      throw new UserError(`${name} belongs to --task ${owner}, and the task is ${task}`, {
        hint: `leave out ${name}`,
      });
}

/**
 * @param recorded what the record says, σ its noise
 * @param record its name, for the message
 * @throws UserError for an option that says otherwise than the record
 */
export async function refuseContradiction(
  values: DegradationValues,
  { degradation: recorded, sigma }: { readonly degradation: Degradation; readonly sigma: number },
  record: string,
): Promise<void> {
  const refuse = (name: string, says: string | number): never => {
    throw new UserError(`${name} contradicts ${record}, which says ${says}`, {
      hint: `leave out ${name}: the record holds how this measurement was made`,
    });
  };
  if (values.task !== undefined && values.task !== recorded.task)
    refuse(`--task ${values.task}`, recorded.task);
  refuseForeign(values, recorded.task);
  const differs = (given: unknown, said: unknown): boolean => given !== undefined && given !== said;
  if (differs(values.noise, sigma)) refuse(`--noise ${values.noise}`, sigma);
  switch (recorded.task) {
    case 'inpaint': {
      const same =
        values.mask === undefined ||
        valuesHash((await readMask(values.mask)).values) === valuesHash(recorded.mask);
      if (!same) refuse(`--mask ${values.mask}`, 'another mask');
      return;
    }
    case 'sr':
      if (differs(values.scale, recorded.scale)) refuse(`--scale ${values.scale}`, recorded.scale);
      return;
    case 'deblur': {
      const { size, std } = 'kernel' in recorded ? { size: 'a kernel', std: 'a kernel' } : recorded;
      if (differs(values.kernelSize, size)) refuse(`--kernel-size ${values.kernelSize}`, size);
      if (differs(values.kernelStd, std)) refuse(`--kernel-std ${values.kernelStd}`, std);
      if (values.kernel === undefined) return;
      const { values: kernel } = await readKernel(values.kernel);
      const same = 'kernel' in recorded && valuesHash(kernel) === valuesHash(recorded.kernel);
      if (!same) refuse(`--kernel ${values.kernel}`, 'another kernel');
    }
  }
}

/**
 * The degradation of one image.
 * @param before the image's size as it was read, which a given mask must have
 * @param after its size once fitted, to which the mask is brought alike
 */
export function degradationFor(
  plan: Plan,
  before: Size,
  after: Size,
  how: { readonly fit: FitMode | undefined; readonly key: NoiseKey },
): Degradation {
  if (plan.task !== 'inpaint') return plan;
  const { height, width } = after;
  if (plan.mask === 'random') return { task: 'inpaint', mask: randomMask(height, width, how.key) };
  if (plan.mask === 'box') return { task: 'inpaint', mask: boxMask(height, width, how.key) };
  inpainting({ mask: plan.mask }).measured([1, before.height, before.width]);
  return { task: 'inpaint', mask: how.fit ? fitMask(plan.mask, after, how.fit) : plan.mask };
}

function fitMask(mask: Tensor, size: Size, how: FitMode): Tensor {
  const fitted = fit(mask, size, how);
  return tensor(
    fitted.shape,
    fitted.data.map((v) => Number(v >= 0.5)),
  );
}
