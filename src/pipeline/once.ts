/** Computations that are made when they are first needed. */

/** A computation made at most once. */
export interface Once<T> {
  (): Promise<T>;
  /** What came of it, so that it can be released: nothing where it was not begun, or failed. */
  started(): Promise<T | undefined>;
}

export function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined;
  return Object.assign(() => (made ??= make()), {
    started: async () => made?.catch(() => undefined),
  });
}
