/** Trains a network to denoise, step by step. */
import type { Card } from '../card/card.ts';
import { UserError } from '../errors.ts';
import { feedConstants } from '../onnx/feed.ts';
import type { OnnxModel } from '../onnx/read.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { betas } from '../schedules/betas.ts';
import { resolveGraph } from '../session/resolve.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Dataset } from './dataset.ts';
import { denoisingLoss, inputs } from './denoising.ts';
import { droppedAt, noiseAt, timestepsAt } from './draws.ts';
import { openOptimiser, type Found, type Optimiser, type OptimiserOptions } from './optimiser.ts';
import { parametersOf } from './parameters.ts';

/** The input that takes the class, and what it is given for none. */
export interface LabelInput {
  readonly input: string;
  readonly null: number;
}

export interface TrainerOptions extends OptimiserOptions {
  /** The network and the weights to begin with. */
  readonly model: OnnxModel;
  readonly card: Card;
  readonly dataset: Dataset;
  /** Undefined for an unconditional network. */
  readonly label?: LabelInput | undefined;
  /** How often the class is withheld: Ho & Salimans (2022) tried 0.1, 0.2 and 0.5. */
  readonly pUncond: number;
  readonly batch: number;
  readonly seed: number;
}

export interface StepResult extends Found {
  /** Of this step, from 0. */
  readonly step: number;
  readonly timesteps: readonly number[];
}

export interface Trainer extends Omit<Optimiser, 'step'> {
  /** @throws UserError if the loss or its gradient is not finite; the state is then still that of before */
  step(): Promise<StepResult>;
}

/**
 * Derives the graph of a step and loads it; training begins with the model's own weights.
 * @throws UserError for a network without weights, or one that cannot be differentiated
 */
export async function openTrainer(options: TrainerOptions): Promise<Trainer> {
  const { model, card, dataset, batch, label, seed } = options;
  const parameters = parametersOf(model);
  const shape = [batch, ...dataset.shape];
  const others = modelInputs(model).filter((i) => i.name !== card.inputs.x);
  // An open first axis is the batch; the name that it may have binds it wherever it occurs.
  const dims = Object.fromEntries(
    others.flatMap(({ name, shape: [first] }) =>
      typeof first === 'string' ? [[first || `${name}.0`, batch]] : [],
    ),
  );
  const shapes = { [card.inputs.x]: shape };
  const resolved = await resolveGraph(model, { dims, shapes }, new Set(parameters.keys()));
  const graph = feedConstants(resolved, card.conditioning);
  const timestep = graph.inputs.find((i) => i.name === card.inputs.timestep);
  if (timestep?.shape[0] !== batch)
    throw new UserError(
      `${model.where}: '${card.inputs.timestep}' is one timestep for all ${batch} images of a batch`,
      { hint: 'export it with a timestep for each, or train with --batch 1' },
    );
  const optimiser = await openOptimiser(denoisingLoss(graph, card), parameters, options);
  const alphaBars = alphaBarsOf(card);
  const T = alphaBars.length;
  const timestepScale = card.timestepScale * (card.rescaleTimesteps ? 1000 / T : 1);
  const perImage = (values: readonly number[]): Tensor =>
    tensor([batch], Float32Array.from(values));

  return {
    ...optimiser,
    async step() {
      const { step } = optimiser.state();
      const { x0, labels } = dataset.at(step, batch);
      const timesteps = timestepsAt(seed, step, batch, T);
      const levels = timesteps.map((t) => alphaBars[t] as number);
      const feeds: Record<string, Tensor> = {
        [inputs.x0]: x0,
        [inputs.noise]: noiseAt(seed, step, shape),
        [inputs.signal]: perImage(levels.map((a) => Math.sqrt(a))),
        [inputs.level]: perImage(levels.map((a) => Math.sqrt(1 - a))),
        [timestep.name]: perImage(timesteps.map((t) => t * timestepScale)),
      };
      if (label) {
        const dropped = droppedAt(seed, step, labels, { p: options.pUncond, null: label.null });
        feeds[label.input] = perImage(dropped);
      }
      return { ...(await optimiser.step(feeds)), step, timesteps };
    },
  };
}

function alphaBarsOf({ schedule }: Card): Float64Array {
  let product = 1;
  return betas(schedule).map((beta) => (product *= 1 - beta));
}
