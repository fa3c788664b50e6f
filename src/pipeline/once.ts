/** Computations that are made when they are first needed. */

/** A computation made at most once, and whether it was. */
export interface Once<T> {
  (): Promise<T>;
  started(): Promise<T> | undefined;
}

export function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined;
  return Object.assign(() => (made ??= make()), { started: () => made });
}
