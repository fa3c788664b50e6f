/** Many files, looked at side by side. */

/** One after another, ten thousand take seconds; all at once, more may be open than a process is allowed. */
const many = 64;

/**
 * What `look` finds of each item, in their order.
 * @throws what it throws of the first item of which it does, whichever comes to its end first
 */
export async function lookTogether<T, R>(
  items: readonly T[],
  look: (item: T) => Promise<R>,
): Promise<R[]> {
  const found: R[] = [];
  for (let i = 0; i < items.length; i += many)
    for (const one of await Promise.allSettled(items.slice(i, i + many).map(look))) {
      if (one.status === 'rejected') throw one.reason;
      found.push(one.value);
    }
  return found;
}
