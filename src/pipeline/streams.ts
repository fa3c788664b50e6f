/** Streams: reading ahead, and several at once. */

/**
 * Asks for up to `count` values before they are wanted, so that they are made while earlier ones
 * are used. No more than that are ever waiting.
 */
export async function* ahead<T>(source: AsyncGenerator<T>, count: number): AsyncGenerator<T> {
  const asked: Promise<IteratorResult<T>>[] = [];
  try {
    for (;;) {
      while (asked.length < count) asked.push(handled(source.next()));
      const { done, value } = (await asked.shift()) as IteratorResult<T>;
      if (done) return;
      asked.push(handled(source.next()));
      yield value;
    }
  } finally {
    await source.return(undefined);
  }
}

/**
 * The values of several generators as they come. Each goes on to its next value while this one is
 * looked at, and no further. The first to fail fails all.
 */
export async function* merge<T>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const next = async (source: AsyncGenerator<T>): Promise<Arrived<T>> => {
    return { source, result: await source.next() };
  };
  const arriving = new Map(sources.map((s) => [s, handled(next(s))]));
  try {
    while (arriving.size > 0) {
      const { source, result } = await Promise.race(arriving.values());
      if (result.done) arriving.delete(source);
      else {
        arriving.set(source, handled(next(source)));
        yield result.value;
      }
    }
  } finally {
    await Promise.allSettled(sources.map((s) => s.return(undefined)));
  }
}

interface Arrived<T> {
  readonly source: AsyncGenerator<T>;
  readonly result: IteratorResult<T>;
}

/** A promise whose rejection may go unseen, should nobody come to wait for it. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
