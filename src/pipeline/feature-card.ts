/** What a feature network's file does not say of its input: `NETWORK.features.json` beside it. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { isRecord } from '../card/read.ts';
import { showIssues, UserError } from '../errors.ts';
import { readJson } from '../files/json.ts';

const perChannel = z.tuple([z.number(), z.number(), z.number()]);

const featureCard = z.strictObject({
  /** What the network's input spans before mean and std. */
  range: z.enum(['[-1,1]', '[0,1]', '[0,255]']).default('[-1,1]'),
  /** (v − mean) / std by channel, on that range. */
  mean: perChannel.default([0, 0, 0]),
  std: perChannel.default([1, 1, 1]),
  /** LPIPS: outputs with their linear layers, .npy files of one weight a channel. */
  layers: z.array(z.strictObject({ output: z.string(), weights: z.string() })).optional(),
  /** FID: the output that is the feature vector; classifiers: the logits. The first if left out. */
  output: z.string().optional(),
  /** Classifiers: names of their inputs, where they cannot be told by their shapes. */
  inputs: z.strictObject({ x: z.string().optional(), timestep: z.string().optional() }).optional(),
  /** Classifiers: what they are given is the model's timestep times this. */
  timestepScale: z.number().positive().default(1),
});

export type FeatureCard = z.infer<typeof featureCard>;

export function featureCardFile(network: string): string {
  return `${network.replace(/\.onnx$/i, '')}.features.json`;
}

type Overrides = Readonly<Record<string, unknown>>;

/**
 * The card beside a network; undefined where there is none.
 * @throws UserError for a damaged one
 */
export async function findFeatureCard(
  network: string,
  overrides: Overrides = {},
): Promise<FeatureCard | undefined> {
  const file = featureCardFile(network);
  if (!existsSync(file)) return undefined;
  const content = await readJson(file);
  return featureCardOf(isRecord(content) ? { ...content, ...overrides } : content, file);
}

/**
 * What lies beside a network, or the usual values.
 * @param overrides fields that count more than the file's
 * @throws UserError for a file that is damaged, or fields that cards do not have
 */
export async function readFeatureCard(
  network: string,
  overrides: Overrides = {},
): Promise<FeatureCard> {
  return (await findFeatureCard(network, overrides)) ?? featureCardOf(overrides, network);
}

function featureCardOf(content: unknown, where: string): FeatureCard {
  const parsed = featureCard.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new UserError(`${where}: ${showIssues(parsed.error, 'card')}`);
}
