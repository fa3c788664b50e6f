/** `--classifier`: the options of classifier guidance. */
import { InvalidArgumentError } from 'commander';
import { option, real, text, type Kind } from './options.ts';

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
