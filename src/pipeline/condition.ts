/** What a network is told of an image beside x and timestep: its class, or whatever it takes. */
import { UserError } from '../errors.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Model } from './model.ts';

/** Values by input of the network, without the batch axis. */
export type Feeds = Readonly<Record<string, Tensor>>;

export interface Condition {
  readonly given: Feeds;
  /** What says that nothing is given, where the network was trained for that. */
  readonly none?: Feeds;
}

/**
 * The condition of a class, or of none.
 * @param label 0 to the card's `classes.count`, exclusive; left out for an unconditional image
 * @throws UserError for a model without classes, a class that it does not have, or no class where
 * the model needs one
 */
export function classCondition(model: Model, label?: number): Condition {
  const { file, card } = model;
  const { classes } = card;
  if (card.text)
    throw new UserError(`${file}: the model is told prompts, not classes`, {
      hint: 'give it one, which may be empty: --prompt, or promptCondition in the library',
    });
  if (!classes) {
    if (label === undefined) return { given: {} };
    throw new UserError(`${file}: its card names no classes, so there is no class ${label}`, {
      hint: classHint(model),
    });
  }
  const fed = (value: number): Feeds => ({ [classes.input]: tensor([], Float32Array.of(value)) });
  const none = classes.null === undefined ? {} : { none: fed(classes.null) };
  if (label === undefined) {
    if (none.none) return { given: none.none, ...none };
    throw new UserError(`${file}: the model needs a class, and none is given`, {
      hint: 'add --class, or set classes.null in the card if a class stands for none',
    });
  }
  if (!Number.isInteger(label) || label < 0 || label >= classes.count)
    throw new UserError(`${file}: class ${label} is not one of its ${classes.count}`, {
      hint: `give an integer from 0 to ${classes.count - 1}`,
    });
  return { given: fed(label), ...none };
}

/** A network that takes nothing beside x and a timestep has no class to be told. */
function classHint({ onnx, card }: Model): string {
  const known: readonly string[] = [card.inputs.x, card.inputs.timestep];
  const others = modelInputs(onnx).filter(({ name }) => !known.includes(name));
  const [first] = others;
  return first
    ? `say which input takes the class: --card 'classes={"input":"${first.name}","count":1000}'`
    : 'it takes no class; guide it by one that a classifier knows: --classifier';
}

/**
 * The number of a class that may be given by name. Whether there is a class of that number is left
 * to `classCondition`.
 * @throws UserError for a name that the card does not list
 */
export function classNumber({ file, card }: Model, given: string): number {
  if (Number.isFinite(Number(given)) && given.trim() !== '') return Number(given);
  const { names = [] } = card.classes ?? {};
  const found = names.indexOf(given);
  if (found >= 0) return found;
  throw new UserError(`${file}: no class is named '${given}'`, {
    hint:
      names.length > 0
        ? `there are: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`
        : card.classes
          ? 'its card names none: give a number'
          : 'its card names no classes, and those of a classifier go by number',
  });
}
