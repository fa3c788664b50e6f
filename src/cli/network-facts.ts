/** What sidecars have of the files of a network: the model's, or one that a run takes beside it. */
import path from 'node:path';

export interface NetworkFacts {
  readonly file: string;
  readonly sha256: string;
  /** SHA-256 of each file beside it that holds weights, where there are any. */
  readonly weights?: readonly string[];
}

/** @param content SHA-256 of each file that it consists of, its own first */
export function networkFacts(file: string, content: readonly string[]): NetworkFacts {
  const [own = '', ...weights] = content;
  return {
    file: path.basename(file),
    sha256: own,
    ...(weights.length > 0 && { weights }),
  };
}
