/** Metrics through networks that the user brings, and how metrics are defined with them. */
import { catalogue, type Metric } from '../metrics/catalogue.ts';
import {
  openExtractor,
  openPerceptual,
  type Extractor,
  type Perceptual,
} from '../pipeline/features.ts';
import type { Results } from '../report/results.ts';
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
): Results['metrics'] {
  const used: Partial<Record<Metric, Perceptual | Extractor | undefined>> = {
    lpips: perceptual,
    fid: extractor,
  };
  return Object.fromEntries(
    metrics.map((m) => {
      const by = used[m];
      const own = { ...catalogue[m], range: [...catalogue[m].range] };
      if (!by) return [m, own];
      const definition = `${own.definition}: ${by.definition}`;
      return [m, { ...own, definition, files: by.files }];
    }),
  );
}
