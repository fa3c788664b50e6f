/** The model card: what a network's file does not say about how to sample with it. */
import { z } from 'zod';

/** Schema of the JSON beside a model, `NAME.card.json` for `NAME.onnx`. Every field is optional. */
export const cardFile = z
  .object({
    name: z.string(),
    description: z.string(),
    /** What the network's output stands for. */
    prediction: z.enum(['epsilon', 'v', 'x0']),
    /** The output has twice the channels; the second half interpolates the variance. */
    learnedVariance: z.boolean(),
    /** x̂₀ is clipped to [-1,1], as pixel models are trained. */
    clip: z.boolean(),
    schedule: z.strictObject({
      name: z.enum(['linear', 'scaled_linear', 'cosine']),
      timesteps: z.int().positive(),
      betaStart: z.number().positive().optional(),
      betaEnd: z.number().positive().optional(),
    }),
    /** The network wants its timestep on the scale 0..1000 whatever T is. */
    rescaleTimesteps: z.boolean(),
    /** Names of the network's inputs and of the output to use. */
    inputs: z.strictObject({ x: z.string(), timestep: z.string() }),
    output: z.string(),
    /** Height and width must be multiples of this, where the file leaves them open. */
    multiple: z.int().positive(),
    /** Which rows of configs/presets.json suit the network. */
    presets: z.string(),
    license: z.string(),
    source: z.string(),
    training: z.string(),
    /** Of the .onnx file. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .partial();

export type CardFile = z.infer<typeof cardFile>;

type Needed =
  | 'prediction'
  | 'learnedVariance'
  | 'clip'
  | 'schedule'
  | 'rescaleTimesteps'
  | 'inputs'
  | 'output'
  | 'multiple'
  | 'presets';

/** A card with everything filled in that sampling needs. */
export type Card = Omit<CardFile, Needed> & {
  readonly [Field in Needed]-?: NonNullable<CardFile[Field]>;
};
