/** Metrics through networks that the user brings, and how metrics are defined with them. */
import { catalogue, type Metric } from '../metrics/catalogue.ts';
import {
  openExtractor,
  openPerceptual,
  type Extractor,
  type Perceptual,
} from '../pipeline/features.ts';
import type { EvalValues } from './commands/eval.ts';

export interface Networks {
  readonly perceptual: Perceptual | undefined;
  readonly extractor: Extractor | undefined;
  release(): Promise<void>;
}

/** The networks that `--lpips` and `--fid` name. */
export async function openNetworks(values: Pick<EvalValues, 'lpips' | 'fid'>): Promise<Networks> {
  const perceptual = values.lpips === undefined ? undefined : await openPerceptual(values.lpips);
  const extractor = values.fid === undefined ? undefined : await openExtractor(values.fid);
  return {
    perceptual,
    extractor,
    async release() {
      await perceptual?.release();
      await extractor?.release();
    },
  };
}

/** The definitions of some metrics, with the networks that were used. */
export function definitionsOf(
  metrics: readonly Metric[],
  { perceptual, extractor }: Pick<Networks, 'perceptual' | 'extractor'>,
): Record<string, (typeof catalogue)[Metric]> {
  const used: Partial<Record<Metric, string | undefined>> = {
    lpips: perceptual?.definition,
    fid: extractor?.definition,
  };
  return Object.fromEntries(
    metrics.map((m) => {
      const { definition, ...rest } = catalogue[m];
      const by = used[m];
      const full = by === undefined ? definition : `${definition}: ${by}`;
      return [m, { ...rest, definition: full } as (typeof catalogue)[Metric]];
    }),
  );
}
