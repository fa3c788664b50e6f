/** `--classifier`: what the options of classifier guidance come to. */
import { UserError } from '../errors.ts';
import { loadClassifier, type ClassifierGuidance } from '../pipeline/classifier.ts';
import type { classifierOptions } from './classifier-options.ts';
import { networkFacts } from './network-facts.ts';
import type { Values } from './options.ts';

/** Classifier guidance, with what sidecars and digests have of it. */
export interface Guide {
  readonly guidance: ClassifierGuidance;
  readonly record: object;
}

/** @throws UserError for a file that is no classifier, or options that need others */
export async function classifierOf(
  values: Values<typeof classifierOptions>,
  label: number | undefined,
): Promise<Guide | undefined> {
  const { classifier: file, classifierScale: scale = 1, classifierCard: card } = values;
  if (file === undefined) {
    const idle = values.classifierScale === undefined ? card && 'card' : 'scale';
    if (!idle) return undefined;
    throw new UserError(`--classifier-${idle} belongs to classifier guidance, which is off`, {
      hint: `add --classifier FILE, or leave out --classifier-${idle}`,
    });
  }
  if (label === undefined)
    throw new UserError('--classifier guides to a class, and none is given', {
      hint: 'add --class',
    });
  const classifier = await loadClassifier(file, card);
  const record = {
    ...networkFacts(file, classifier.content),
    card: classifier.card,
    scale,
  };
  return { guidance: { classifier, class: label, scale }, record };
}
