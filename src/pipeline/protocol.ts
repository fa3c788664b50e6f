/** How articles make their measurements, read from configs/protocols.json. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Task } from './tasks.ts';

export const protocolNames = ['article', 'dps', 'diffpir'] as const;
export type ProtocolName = (typeof protocolNames)[number];

const noise = z.strictObject({
  sigma: z.number().nonnegative(),
  range: z.enum(['[-1,1]', '[0,1]']),
});

const protocols = z.record(
  z.enum(protocolNames),
  z.strictObject({
    source: z.string(),
    methods: z.array(z.enum(['dsg', 'dps'])),
    steps: z.array(z.int().positive()),
    tasks: z.strictObject({
      inpaint: z.strictObject({ mask: z.enum(['random', 'box']), noise }),
      sr: z.strictObject({ scale: z.int().min(2), noise }),
      deblur: z.strictObject({ size: z.int(), std: z.number(), noise }),
    }),
    notes: z.array(z.string()),
  }),
);

export interface Protocol {
  readonly name: ProtocolName;
  readonly source: string;
  readonly methods: readonly ('dsg' | 'dps')[];
  readonly steps: readonly number[];
  /** In what dsg differs, and what was converted. */
  readonly notes: readonly string[];
  readonly degradations: {
    readonly inpaint: { readonly task: 'inpaint'; readonly mask: 'random' | 'box' };
    readonly sr: { readonly task: 'sr'; readonly scale: number };
    readonly deblur: { readonly task: 'deblur'; readonly size: number; readonly std: number };
  };
  /** Standard deviation of the measurement's noise, on images in [-1,1]. */
  readonly sigma: Readonly<Record<Task, number>>;
}

/** A protocol, its noise on the range [-1,1] that dsg uses: σ on [0,1] is half as wide. */
export function protocol(name: ProtocolName): Protocol {
  const url = new URL('../../configs/protocols.json', import.meta.url);
  const found = protocols.parse(JSON.parse(readFileSync(url, 'utf8')))[name];
  const { inpaint, sr, deblur } = found.tasks;
  const sigma = { inpaint: onOurRange(inpaint), sr: onOurRange(sr), deblur: onOurRange(deblur) };
  const halves = Object.entries(found.tasks).filter(
    ([, { noise: n }]) => n.range === '[0,1]' && n.sigma > 0,
  );
  const converted = halves.map(
    ([task, { noise: n }]) => `${task}: noise ${n.sigma} on [0,1] is ${2 * n.sigma} on [-1,1]`,
  );
  return {
    name,
    source: found.source,
    methods: found.methods,
    steps: found.steps,
    notes: [...converted, ...found.notes],
    degradations: {
      inpaint: { task: 'inpaint', mask: inpaint.mask },
      sr: { task: 'sr', scale: sr.scale },
      deblur: { task: 'deblur', size: deblur.size, std: deblur.std },
    },
    sigma,
  };
}

function onOurRange({ noise: { sigma, range } }: { noise: z.infer<typeof noise> }): number {
  return range === '[0,1]' ? 2 * sigma : sigma;
}
