/** Finds the weights of a network among all that a checkpoint holds. */
import { isAveraged, type StateDict } from './state.ts';

export interface Found {
  readonly weights: StateDict;
  /** What was chosen where there was a choice, a line each. */
  readonly notes: readonly string[];
}

/**
 * The network whose names include `anchors`, without the prefix that wrappers put before them
 * (`module.`, `model.diffusion_model.`), averaged weights first; undefined if there is none.
 */
export function networkIn(state: StateDict, anchors: readonly string[]): Found | undefined {
  const [first = '', ...rest] = anchors;
  const prefixes = [...state.keys()]
    .filter((name) => name.endsWith(first))
    .map((name) => name.slice(0, name.length - first.length))
    .filter((prefix) => prefix === '' || prefix.endsWith('.'))
    .filter((prefix) => rest.every((name) => state.has(prefix + name)));
  const prefix = prefixes.find(isAveraged) ?? prefixes[0];
  if (prefix === undefined) return undefined;
  const weights = new Map(
    [...state]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, t]) => [name.slice(prefix.length), t]),
  );
  const average = flattened(state, prefix, weights);
  if (average)
    return { weights: average, notes: [`weights: ${flatPrefix}* (there are also ${prefix}*)`] };
  const others = prefixes.filter((p) => p !== prefix).map((p) => `${p}*`);
  const notes =
    others.length > 0 ? [`weights: ${prefix}* (there are also ${others.join(', ')})`] : [];
  return { weights, notes };
}

/** latent-diffusion's `LitEma` keeps the average of `model.a.b` as `model_ema.ab`. */
const flatPrefix = 'model_ema.';
const wrapper = 'model.';

function flattened(state: StateDict, prefix: string, raw: StateDict): StateDict | undefined {
  if (!prefix.startsWith(wrapper)) return undefined;
  const flat = (name: string): string =>
    flatPrefix + (prefix.slice(wrapper.length) + name).replaceAll('.', '');
  const average = new Map<string, NonNullable<ReturnType<StateDict['get']>>>();
  for (const name of raw.keys()) {
    const found = state.get(flat(name));
    if (!found) return undefined;
    average.set(name, found);
  }
  return average;
}
