/** HTML as values: what is interpolated is escaped, unless it is HTML itself. */

export interface Html {
  readonly html: string;
}

type Part = string | number | Html | readonly Html[] | undefined | false;

/** A template whose strings and numbers are escaped; lists are joined, undefined and false vanish. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const text = strings.map((s, i) => s + (i < parts.length ? render(parts[i]) : ''));
  return { html: text.join('') };
}

/** Text that is HTML already. */
export function raw(text: string): Html {
  return { html: text };
}

function render(part: Part): string {
  if (part === undefined || part === false) return '';
  if (typeof part === 'object')
    return 'html' in part ? part.html : part.map((p) => p.html).join('');
  return escapeHtml(String(part));
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** JSON that can stand in a script element. */
export function embeddedJson(value: unknown): Html {
  return raw(JSON.stringify(value).replaceAll('<', String.raw`\u003c`));
}
