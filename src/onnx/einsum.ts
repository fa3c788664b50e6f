/** Equations of Einsum, a letter an axis. */

export interface EinsumTerms {
  readonly operands: readonly string[];
  readonly result: string;
}

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'];

/**
 * The letters of each operand and of the result, those that an ellipsis stands for among them: the axes
 * that are left of an operand, which are aligned at the last. A result that is not named is what the
 * ellipses stand for, and then what occurs once, sorted.
 * @param ranks of the operands
 */
export function einsumTerms(equation: string, ranks: readonly number[]): EinsumTerms {
  const [left = '', named] = equation.replaceAll(' ', '').split('->');
  const written = left.split(',');
  const hidden = written.map((term, i) =>
    term.includes('...') ? (ranks[i] ?? 0) - (term.length - 3) : 0,
  );
  const most = Math.max(...hidden);
  const free = letters.filter((l) => !equation.includes(l)).slice(0, most);
  const spelled = (term: string, count: number): string =>
    term.replace('...', free.slice(most - count).join(''));
  const all = [...left.replace(/[.,]/g, '')].sort();
  const once = all.filter((l) => all.indexOf(l) === all.lastIndexOf(l));
  return {
    operands: written.map((term, i) => spelled(term, hidden[i] as number)),
    result: spelled(named ?? `...${once.join('')}`, most),
  };
}
