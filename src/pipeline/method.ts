/** Samplers and guidance rules by name, as options and records have them. */
import { dps } from '../guidance/dps.ts';
import { dsg } from '../guidance/dsg.ts';
import type { Guidance } from '../guidance/guidance.ts';
import { none } from '../guidance/none.ts';
import { ddim } from '../samplers/ddim.ts';
import { ddpm } from '../samplers/ddpm.ts';
import type { Sampler } from '../samplers/sampler.ts';

export type Method =
  | {
      readonly name: 'dsg';
      readonly rate: number;
      readonly interval: number;
      readonly radius?: 'rms' | 'first-pixel';
    }
  | { readonly name: 'dps'; readonly stepSize: number }
  | { readonly name: 'none' };

export type SamplerChoice =
  | { readonly name: 'ddim'; readonly eta: number }
  | { readonly name: 'ddpm'; readonly variance: 'fixed_small' | 'fixed_large' | 'learned_range' };

export function samplerFor(choice: SamplerChoice): Sampler {
  return choice.name === 'ddim' ? ddim({ eta: choice.eta }) : ddpm({ variance: choice.variance });
}

export function guidanceFor(method: Method): Guidance {
  switch (method.name) {
    case 'dsg':
      return dsg(method);
    case 'dps':
      return dps(method);
    case 'none':
      return none;
  }
}
