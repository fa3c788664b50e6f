/** Many files, looked at side by side. */

/** One after another, ten thousand take seconds; all at once, more may be open than a process is allowed. */
const many = 64;

/** What `look` finds of each item, in their order. */
export async function lookTogether<T, R>(
  items: readonly T[],
  look: (item: T) => Promise<R>,
): Promise<R[]> {
  const found: R[] = [];
  for (let i = 0; i < items.length; i += many)
    found.push(...(await Promise.all(items.slice(i, i + many).map(look))));
  return found;
}
