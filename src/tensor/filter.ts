/** Matrices of one-dimensional filters. */

/** A dense `[rows, columns]` matrix, row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/**
 * The matrix of a one-dimensional filter.
 * @param size length of the signal
 * @param outputs length of the filtered signal
 * @param taps for output i, the positions it reads (possibly outside the signal) and their weights
 * @param inside where a position outside the signal is read instead
 */
export function filterMatrix(
  size: number,
  outputs: number,
  taps: (i: number) => readonly { at: number; weight: number }[],
  inside: (at: number, size: number) => number,
): Matrix {
  const data = new Float64Array(outputs * size);
  for (let i = 0; i < outputs; i++)
    for (const { at, weight } of taps(i)) {
      const j = i * size + inside(at, size);
      data[j] = (data[j] as number) + weight;
    }
  return { rows: outputs, columns: size, data };
}

/** Mirrored about the edge pixel, which is not repeated: c b | a b c | b a. */
export function reflect(at: number, size: number): number {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const m = ((at % period) + period) % period;
  return m < size ? m : period - m;
}

/** Mirrored about the edge, the edge pixel repeated: b a | a b c | c b. */
export function mirror(at: number, size: number): number {
  const m = ((at % (2 * size)) + 2 * size) % (2 * size);
  return m < size ? m : 2 * size - 1 - m;
}

/** Keys' cubic convolution kernel with a = −0.5 (Keys 1981, eq. 15). */
export function cubic(x: number): number {
  const d = Math.abs(x);
  if (d < 1) return 1.5 * d ** 3 - 2.5 * d ** 2 + 1;
  if (d < 2) return -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2;
  return 0;
}

/** How images are resampled: adaptive averages, or a kernel that is stretched where they shrink. */
export const resamplings = ['area', 'bilinear', 'bicubic'] as const;
export type Resampling = (typeof resamplings)[number];

/**
 * The `[to, from]` matrix that resamples a signal. `area` is adaptive average pooling; the others
 * are antialiased, cut off at the border with their weights normalised, as Pillow does it.
 */
export function resamplingMatrix(from: number, to: number, how: Resampling): Matrix {
  const taps = how === 'area' ? areaTaps(from, to) : kernelTaps(from, to, how);
  return filterMatrix(from, to, taps, (at) => at);
}

type Taps = (i: number) => readonly { at: number; weight: number }[];

function areaTaps(from: number, to: number): Taps {
  return (i) => {
    const first = Math.floor((i * from) / to);
    const count = Math.ceil(((i + 1) * from) / to) - first;
    return Array.from({ length: count }, (_, k) => ({ at: first + k, weight: 1 / count }));
  };
}

function kernelTaps(from: number, to: number, how: 'bilinear' | 'bicubic'): Taps {
  const [kernel, reach] = how === 'bilinear' ? [triangle, 1] : [cubic, 2];
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  return (i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach * stretch + 0.5));
    const end = Math.min(from, Math.floor(centre + reach * stretch + 0.5));
    const raw = Array.from({ length: end - first }, (_, k) => {
      return { at: first + k, weight: kernel((first + k + 0.5 - centre) / stretch) };
    });
    const sum = raw.reduce((s, t) => s + t.weight, 0);
    return raw.map(({ at, weight }) => ({ at, weight: weight / sum }));
  };
}

function triangle(x: number): number {
  return Math.max(0, 1 - Math.abs(x));
}
