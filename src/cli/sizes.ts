/** Sizes for the dimensions that a model leaves open. */
import { UserError } from '../errors.ts';
import type { ModelInput } from '../onnx/dims.ts';

type Sizes = Readonly<Record<string, number>>;

/** The names of open dimensions, as `--dim` takes them, with the axis where each first occurs. */
function openDimensions(inputs: readonly ModelInput[]): Map<string, number> {
  const open = new Map<string, number>();
  for (const input of inputs)
    input.shape.forEach((d, axis) => {
      const name = d || `${input.name}.${axis}`;
      if (typeof name === 'string' && !open.has(name)) open.set(name, axis);
    });
  return open;
}

/** @throws UserError for a name that is none of the model's open dimensions */
export function refuseUnknown(inputs: readonly ModelInput[], given: Sizes, where: string): void {
  const open = [...openDimensions(inputs).keys()];
  const unknown = Object.keys(given).find((name) => !open.includes(name));
  if (unknown !== undefined)
    throw new UserError(`${where}: no open dimension '${unknown}'`, {
      hint: open.length > 0 ? `there are: ${open.join(', ')}` : 'all its sizes are fixed',
    });
}

/** A size for what is not given: 1 for batches, 64 for what is most likely a side. */
export function assumedSizes(inputs: readonly ModelInput[], given: Sizes): Record<string, number> {
  const open = [...openDimensions(inputs)].filter(([name]) => !(name in given));
  return Object.fromEntries(open.map(([name, axis]) => [name, axis === 0 ? 1 : 64]));
}
