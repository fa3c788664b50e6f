/** results.json: what a benchmark measured, with all that is needed to read and to repeat it. */
import { z } from 'zod';
import { showIssues, UserError } from '../errors.ts';
import { parseJson } from '../files/json.ts';

/**
 * JSON has finite numbers only. Infinity is written as null, as the metric's definition says, and
 * what else is not finite by its name, so that a NaN does not come back as the best of scores.
 */
const number = z
  .union([z.number(), z.null(), z.enum(['NaN', '-Infinity'])])
  .transform((v) => (v === null ? Infinity : Number(v)));

/** JSON in which numbers that are not finite stay apart, as the schemas here read them. */
export function scoresJson(value: object, indent?: number): string {
  const named = (_: string, v: unknown): unknown =>
    Number.isNaN(v) || v === -Infinity ? String(v) : v;
  return `${JSON.stringify(value, named, indent)}\n`;
}

/** By metric; what could not be measured is absent. */
const scores = z.record(z.string(), number);

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal');

const definition = z.strictObject({
  label: z.string(),
  unit: z.string(),
  /** Lowest and highest value, null for none. */
  range: z.tuple([z.number().nullable(), z.number().nullable()]),
  better: z.enum(['higher', 'lower', 'one']),
  digits: z.int(),
  definition: z.string(),
  /** Of what it was worked out by, where that is a network: its files, and its layers' weights. */
  files: z.array(digest).readonly().optional(),
});

/** A file beside results.json, with `/` between folders. Windows has `\` as well, and drive letters. */
const file = z
  .string()
  .regex(
    /^(?!\/)(?![A-Za-z]:)(?!.*\\)(?!.*(^|\/)\.\.(\/|$))/s,
    'expected a path inside the folder, with / between its parts',
  );

/** A clean image. */
const image = z.strictObject({
  name: z.string(),
  width: z.int(),
  height: z.int(),
  sha256: digest,
  file,
});

/** What every method is given of an image. */
const measurement = z.strictObject({
  image: z.string(),
  task: z.string(),
  operator: z.record(z.string(), z.unknown()),
  /** Of the operator with its mask or kernel. */
  sha256: digest,
  /** Standard deviation of its noise on images in [-1,1]. */
  sigma: z.number().nonnegative(),
  seed: z.int(),
  file,
  /** The measurement itself against the clean image, enlarged where it is smaller. */
  scores,
});

/** One restoration. */
export const cellSchema = z.strictObject({
  image: z.string(),
  task: z.string(),
  method: z.string(),
  steps: z.int().positive(),
  /** From 0. */
  sample: z.int().nonnegative(),
  /** Of everything that it depends on. */
  hash: digest,
  file,
  /** Of that file; older results lack it. */
  sha256: digest.optional(),
  seconds: z.number(),
  scores,
  /** Index of the step, N−1 at the noisiest, and the loss there; guided steps only. */
  loss: z.array(z.tuple([z.int(), number])),
});

/** Means are over images, of the means over an image's samples. */
const statistics = z.strictObject({
  mean: number,
  /** Standard deviation over images, n − 1. */
  deviation: z.number().optional(),
  /** Mean over images of the standard deviation over samples, n − 1. */
  sampleDeviation: z.number().optional(),
  /** Mean over images of the sample with the smallest residual. */
  bestByResidual: number.optional(),
  lowest: number.optional(),
  highest: number.optional(),
});

/** All restorations of one task by one method and step count. */
const group = z.strictObject({
  task: z.string(),
  method: z.string(),
  steps: z.int().positive(),
  /** What the network is told, and the method's and sampler's own parameters, in words. */
  settings: z.string(),
  images: z.int(),
  statistics: z.record(z.string(), statistics),
});

export const resultsSchema = z.strictObject({
  schema: z.literal(1),
  created: z.iso.datetime(),
  command: z.string(),
  versions: z.record(z.string(), z.string()),
  protocol: z.strictObject({
    name: z.string(),
    source: z.string(),
    /** What was converted, and in what dsg differs. */
    notes: z.array(z.string()),
  }),
  model: z.strictObject({
    file: z.string(),
    sha256: digest,
    /** Of the files beside it that hold weights, where there are any. */
    weights: z.array(digest).readonly().optional(),
    card: z.string().nullable(),
    inferred: z.array(z.string()),
  }),
  seed: z.int(),
  samples: z.int().positive(),
  /** What the scores were computed on: tensors or files. */
  scored: z.string(),
  /** Every metric that occurs below. */
  metrics: z.record(z.string(), definition),
  images: z.array(image),
  measurements: z.array(measurement),
  groups: z.array(group),
  cells: z.array(cellSchema),
  failures: z.array(z.strictObject({ what: z.string(), error: z.string() })),
});

export type Results = z.infer<typeof resultsSchema>;
export type MetricDefinition = z.infer<typeof definition>;
export type Measurement = z.infer<typeof measurement>;
export type Cell = z.infer<typeof cellSchema>;
export type Group = z.infer<typeof group>;
export type Statistics = z.infer<typeof statistics>;
export type Scores = z.infer<typeof scores>;

/**
 * @param where names the file in messages
 * @throws UserError for a text that is no results.json of this version
 */
export function parseResults(text: string, where: string): Results {
  const parsed = resultsSchema.safeParse(parseJson(text, where));
  if (parsed.success) return parsed.data;
  throw new UserError(`${where}: ${showIssues(parsed.error, 'results', 5)}`, {
    hint: 'results.json is written by `dsg bench`; if another version wrote it, run it again',
  });
}

/** The text of results.json, from which `parseResults` makes the same results. */
export function serializeResults(results: Results): string {
  return scoresJson(results, 1);
}
