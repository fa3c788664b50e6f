/** `--classifier`: the options of classifier guidance, and what they come to. */
import path from 'node:path';
import { InvalidArgumentError } from 'commander';
import { UserError } from '../errors.ts';
import { loadClassifier, type ClassifierGuidance } from '../pipeline/classifier.ts';
import { sha256 } from '../files/sha256.ts';
import { option, real, text, type Kind, type Values } from './options.ts';

/** `FIELD=VALUE` or `FIELD.PART=VALUE`; a value is JSON, or else text. */
const fields: Kind<Readonly<Record<string, unknown>>> = {
  range: 'may be repeated',
  parse(given, previous = {}) {
    const [, field, part, text] = /^([^=.]+)(?:\.([^=]+))?=(.+)$/s.exec(given) ?? [];
    if (field === undefined || text === undefined)
      throw new InvalidArgumentError('Expected FIELD=VALUE, as in range=[0,1].');
    const value = valueOf(text);
    const before = previous[field];
    const parts = typeof before === 'object' ? before : {};
    return { ...previous, [field]: part === undefined ? value : { ...parts, [part]: value } };
  },
};

function valueOf(given: string): unknown {
  // A range looks like a list, and is a name.
  if (/^\[-?\d+,\d+\]$/.test(given)) return given;
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}

export const classifierOptions = {
  classifier: option(
    '--classifier <file>',
    'Sampling',
    'ONNX classifier to guide to --class by: of noisy images if it takes a timestep, else of x0',
    text,
    'none',
  ),
  classifierScale: option(
    '--classifier-scale <s>',
    'Sampling',
    'classifier guidance: s of ε − √(1−ᾱ) s ∇log p(c|x)',
    real(0),
    '1',
  ),
  classifierCard: option(
    '--classifier-card <field=value>',
    'Advanced',
    "a field of the classifier's NAME.features.json: range, mean, std, output, inputs.x, " +
      'inputs.timestep, timestepScale',
    fields,
    "the file's, or what is inferred",
  ),
} as const;

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
    file: path.basename(file),
    sha256: await sha256(file),
    card: classifier.card,
    scale,
  };
  return { guidance: { classifier, class: label, scale }, record };
}
