/** The windows that convolutions and pooling slide over the spatial axes of their input. */

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begins of all axes, then ends; auto_pad worked out. */
  readonly pads: readonly number[];
}

/** What a node says about its window, as far as it says it. */
export interface WindowAttributes {
  readonly strides?: readonly number[] | undefined;
  readonly dilations?: readonly number[] | undefined;
  readonly pads?: readonly number[] | undefined;
  /** NOTSET, VALID, SAME_UPPER or SAME_LOWER. */
  readonly autoPad: string;
}

/** @param sizes of the input's spatial axes, which auto_pad depends on */
export function makeWindow(
  sizes: readonly number[],
  kernel: readonly number[],
  attributes: WindowAttributes,
): Window {
  const ones = kernel.map(() => 1);
  const { strides = ones, dilations = ones, autoPad } = attributes;
  const pads = autoPad.startsWith('SAME')
    ? samePads(sizes, { kernel, strides, dilations }, autoPad === 'SAME_UPPER')
    : (attributes.pads ?? [...ones, ...ones].fill(0));
  return { kernel, strides, dilations, pads };
}

/** Elements from the first to the last that a window touches, less one, by axis. */
export function reachOf({ kernel, dilations }: Pick<Window, 'kernel' | 'dilations'>): number[] {
  return kernel.map((k, i) => (dilations[i] as number) * (k - 1));
}

/** Padding that makes the output ⌈size/stride⌉ wide, the odd element at the end or the beginning. */
function samePads(
  sizes: readonly number[],
  window: Omit<Window, 'pads'>,
  upper: boolean,
): number[] {
  const reach = reachOf(window);
  const totals = sizes.map((size, i) => {
    const s = window.strides[i] as number;
    return Math.max((Math.ceil(size / s) - 1) * s + (reach[i] as number) + 1 - size, 0);
  });
  const begins = totals.map((t) => (upper ? Math.floor(t / 2) : Math.ceil(t / 2)));
  return [...begins, ...totals.map((t, i) => t - (begins[i] as number))];
}

/**
 * How many windows fit along each axis.
 * @param ceil counts a last window that is only partly filled, unless it starts beyond the input
 */
export function windowCounts(sizes: readonly number[], window: Window, ceil = false): number[] {
  const { strides, pads } = window;
  const reach = reachOf(window);
  return sizes.map((size, i) => {
    const [stride, begin] = [strides[i] as number, pads[i] as number];
    const room = size + begin + (pads[i + sizes.length] as number) - (reach[i] as number) - 1;
    if (!ceil) return Math.floor(room / stride) + 1;
    const count = Math.ceil(room / stride) + 1;
    return (count - 1) * stride >= size + begin ? count - 1 : count;
  });
}
