/** Imports guided-diffusion checkpoints. */
import { UserError } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { batchOf, type Imported } from '../imported.ts';
import type { StateDict } from '../state.ts';
import { weightsOf } from '../weights.ts';
import { classifier, unet, type Adm } from './network.ts';
import { settle, type Choices } from './published.ts';
import { structureOf, type Structure } from './structure.ts';

export interface AdmOptions extends Choices {
  /** Fixes the class of a class-conditional network, so that it takes an image and a timestep. */
  readonly class?: number | undefined;
}

/** An upsampler's small image is this much smaller: 64 to 256 and 128 to 512 are published. */
const upsampling = 4;
const colours = 3;

/**
 * The graph of a guided-diffusion network: inputs `x` `[batch,3,size,size]`, `t` `[batch]` and,
 * where the network has them, `y` `[batch]` (class) and `low_res`; output `output`, or `logits`.
 * @throws UserError for weights that are not those of such a network, or options that contradict
 * them
 */
export function importAdm(state: StateDict, options: AdmOptions, where: string): Imported {
  const structure = structureOf(state, where);
  const { settings, inferred } = settle(structure, options, where);
  const b = new GraphBuilder();
  const net: Adm = { b, weights: weightsOf(b, state, where), structure, settings };
  const { size, schedule } = settings;
  const x = b.input('x', 'float32', [1, colours, size, size]);
  const t = b.input('t', 'float32', [1]);
  const y = classInput(b, structure, options.class, where);
  const image = structure.inputs === colours ? x : besideLowResolution(net, x, where);
  const isUnet = structure.kind === 'unet';
  const out = isUnet ? unet(net, { x: image, t, y }) : classifier(net, { x: image, t });
  b.scope = '';
  b.output(out, isUnet ? 'output' : 'logits');
  net.weights.finish();
  const noises = {
    schedule: { name: schedule.name, timesteps: schedule.timesteps },
    rescaleTimesteps: schedule.rescaled,
    inputs: { x: 'x', timestep: 't' },
    multiple: 2 ** (structure.levels.length - 1),
    ...(structure.classes !== undefined &&
      options.class === undefined && { classes: { input: 'y', count: structure.classes } }),
  };
  const eps = {
    prediction: 'epsilon' as const,
    learnedVariance: structure.outputs === 2 * colours,
    clip: true,
    output: 'output',
  };
  return {
    graph: b.graph,
    open: batchOf(b.graph),
    card: { description: describe(structure, size), ...noises, ...(isUnet ? eps : {}) },
    inferred,
  };
}

function describe(s: Structure, size: number): string {
  const kind =
    s.kind === 'encoder'
      ? 'classifier of noisy images'
      : s.inputs === colours
        ? 'ε-model'
        : 'upsampler';
  const classes = s.classes === undefined ? '' : `, ${s.classes} classes`;
  return `guided-diffusion ${kind}, ${size}×${size}${classes}`;
}

function classInput(
  b: GraphBuilder,
  { classes }: Structure,
  fixed: number | undefined,
  where: string,
): Value | undefined {
  if (classes === undefined && fixed !== undefined)
    throw new UserError(`${where}: the network is not class-conditional; --class does not apply`);
  if (classes === undefined) return undefined;
  if (fixed === undefined) return b.input('y', 'int64', [1]);
  if (fixed >= classes)
    throw new UserError(`${where}: class ${fixed} of ${classes}: expected 0 to ${classes - 1}`);
  return b.ints([fixed]);
}

/** `SuperResModel`: the small image, enlarged bilinearly, as three more channels. */
function besideLowResolution({ b, structure }: Adm, x: Value, where: string): Value {
  if (structure.inputs !== 2 * colours)
    throw new UserError(
      `${where}: input_blocks.0.0.weight takes ${structure.inputs} channels, expected 3, or 6 for an upsampler`,
    );
  const size = x.shape[2] as number;
  const small = b.input('low_res', 'float32', [1, colours, size / upsampling, size / upsampling]);
  b.scope = '/low_res';
  const scales = b.constant([1, 1, upsampling, upsampling]);
  const large = b.op('Resize', [small, undefined, scales], {
    mode: 'linear',
    coordinate_transformation_mode: 'half_pixel',
  });
  return b.op('Concat', [x, large], { axis: 1 });
}
