/** The model card: what a network's file does not say about how to sample with it. */
import { z } from 'zod';

/** Schema of a card, which every source of one is checked against. Every field is optional. */
export const cardFile = z
  .object({
    name: z.string(),
    description: z.string(),
    /** What the network's output stands for. */
    prediction: z.enum(['epsilon', 'v', 'x0']),
    /** The output has twice the channels; the second half interpolates the variance. */
    learnedVariance: z.boolean(),
    /** x̂₀ is clipped to its range, as pixel models are trained. */
    clip: z.boolean(),
    /** What the images that the network was trained on span. */
    range: z.enum(['[-1,1]', '[0,1]']),
    schedule: z.object({
      name: z.enum(['linear', 'scaled_linear', 'cosine']),
      timesteps: z.int().positive(),
      betaStart: z.number().positive().optional(),
      betaEnd: z.number().positive().optional(),
      /** Which timesteps are kept of all, and where the last step ends; see `schedules/respace.ts`. */
      spacing: z.enum(['linspace', 'leading', 'trailing']).optional(),
      offset: z.int().nonnegative().optional(),
      end: z.enum(['clean', 'first']).optional(),
    }),
    /** The network wants its timestep on the scale 0..1000 whatever T is. */
    rescaleTimesteps: z.boolean(),
    /** The network is given the timestep times this: 0.001 where it counts from 0 to 1. */
    timestepScale: z.number().positive(),
    /** Names of the network's inputs and of the output to use. */
    inputs: z.object({ x: z.string().optional(), timestep: z.string().optional() }),
    output: z.string(),
    /** What the other inputs are fed, by name: one number throughout, or the values for an image. */
    conditioning: z.record(z.string(), z.union([z.number(), z.array(z.number()).min(1)])),
    /** The input that takes the class of each image, how many there are, and what stands for none. */
    classes: z.object({
      input: z.string(),
      count: z.int().positive(),
      null: z.int().nonnegative().optional(),
      names: z.array(z.string()).optional(),
    }),
    /** The input that takes an embedded prompt, `[N,tokens,features]`. */
    text: z.object({ input: z.string() }),
    /** Of a network of latents: what is between them and images. */
    latent: z.object({
      /** Pixels of an image's side for one of the latent's. */
      factor: z.int().positive(),
      /** Latents are divided by this before they are decoded: it gives them about unit variance. */
      scaling: z.number().positive(),
    }),
    /** Height and width must be multiples of this, where the file leaves them open; of images, in pixels. */
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

/** Key of the card among a model's metadata. */
export const metadataKey = 'dsg.card';

type Needed =
  | 'prediction'
  | 'learnedVariance'
  | 'clip'
  | 'range'
  | 'schedule'
  | 'rescaleTimesteps'
  | 'timestepScale'
  | 'output'
  | 'conditioning'
  | 'multiple'
  | 'presets';

/** A card with everything filled in that sampling needs. */
export type Card = Omit<CardFile, Needed | 'inputs'> & {
  readonly [Field in Needed]-?: NonNullable<CardFile[Field]>;
} & { readonly inputs: { readonly x: string; readonly timestep: string } };
