import { describe, expect, test } from 'vitest';
import { networkIn } from '../../src/checkpoint/network-in.ts';
import type { StateDict } from '../../src/checkpoint/state.ts';

const anchors = ['in.weight', 'time.0.weight'];
const names = ['in.weight', 'in.bias', 'time.0.weight'];

/** A state dict whose tensors tell where they came from by their length. */
function state(...groups: readonly (readonly string[])[]): StateDict {
  return new Map(
    groups.flatMap((group, i) =>
      group.map((name) => [
        name,
        { dtype: 'float32', shape: [i], bytes: () => new Uint8Array(4 * i) },
      ]),
    ),
  );
}

const prefixed = (prefix: string): string[] => names.map((name) => prefix + name);
const group = (weights: StateDict | undefined): Set<number | undefined> =>
  new Set([...(weights?.values() ?? [])].map((t) => t.shape[0]));

describe('the network in a checkpoint', () => {
  test.each(['', 'module.', 'model.diffusion_model.', '_orig_mod.module.'])(
    'without the prefix %j, and without what lies beside it',
    (prefix) => {
      const found = networkIn(state(prefixed(prefix), ['betas']), anchors);
      expect([...(found?.weights.keys() ?? [])].slice(0, 3)).toEqual(names);
      expect(found?.notes).toEqual([]);
    },
  );

  test('is none where an anchor is missing', () => {
    expect(networkIn(state(['a.in.weight', 'b.time.0.weight']), anchors)).toBeUndefined();
  });

  test('is the averaged one of two, and that is said', () => {
    const found = networkIn(state(prefixed('online_model.'), prefixed('ema_model.')), anchors);
    expect(group(found?.weights)).toEqual(new Set([1]));
    expect(found?.notes).toEqual(['weights: ema_model.* (there are also online_model.*)']);
  });

  test('is not taken for an average by a word that has those letters', () => {
    const found = networkIn(state(prefixed('model.'), prefixed('semantic.')), anchors);
    expect(group(found?.weights)).toEqual(new Set([0]));
  });

  test('is the average that latent-diffusion keeps under names without dots', () => {
    const flat = names.map((name) => `model_ema.net${name.replaceAll('.', '')}`);
    const raw = prefixed('model.net.');
    const found = networkIn(state(raw, flat, ['model_ema.decay']), anchors);
    expect([...(found?.weights.keys() ?? [])]).toEqual(names);
    expect(group(found?.weights)).toEqual(new Set([1]));
    expect(found?.notes).toEqual(['weights: model_ema.* (there are also model.net.*)']);
    expect(group(networkIn(state(raw, flat.slice(1)), anchors)?.weights)).toEqual(new Set([0]));
  });
});
