/** The error that a user can fix; everything else that is thrown is a defect of this program. */

/**
 * A failure caused by input: a file, an option, a model.
 * The message says what and where; `hint`, if given, says what to do about it.
 * The command line prints both and exits with 1.
 */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
  }
}

/**
 * What a schema finds wrong with some content, as in `layers.0.output: Invalid input; std: …`.
 * @param whole what the content is called where no field of it is to blame
 */
export function showIssues({ issues }: SchemaError, whole: string, most = Infinity): string {
  const shown = issues.slice(0, most);
  return shown.map(({ path, message }) => `${path.join('.') || whole}: ${message}`).join('; ');
}

/** Of zod. */
interface SchemaError {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}
