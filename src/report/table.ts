/** Tables for terminals, Markdown and CSV. */

export interface Column {
  readonly title: string;
  /** Digits behind the point of its numbers; CSV has them in full. */
  readonly digits?: number;
}

export type Value = string | number | undefined;

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Value[])[];
}

/** A number as people read it: `–` for what was not measured, `∞`. */
export function show(value: Value, digits = 0): string {
  if (typeof value === 'string') return value;
  if (value === undefined || Number.isNaN(value)) return '–';
  if (Number.isFinite(value)) return value.toFixed(digits);
  return value > 0 ? '∞' : '−∞';
}

/** Columns aligned with spaces, numbers to the right. */
export function toText(table: Table): string {
  const lines = [table.columns.map((c) => c.title), ...shown(table)];
  const widths = table.columns.map((_, i) => Math.max(...lines.map((l) => l[i]!.length)));
  const aligned = (cell: string, i: number): string =>
    isNumeric(table, i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!);
  return lines.map((l) => `${l.map(aligned).join('  ').trimEnd()}\n`).join('');
}

export function toMarkdown(table: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((c) => c.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |\n`;
  const rule = table.columns.map((_, i) => (isNumeric(table, i) ? '--:' : '---'));
  return [table.columns.map((c) => c.title), rule, ...shown(table)].map(line).join('');
}

/** RFC 4180, with numbers in full precision and nothing for what was not measured. */
export function toCsv({ columns, rows }: Table): string {
  const field = (value: Value = ''): string => {
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns.map((c) => c.title), ...rows];
  return lines.map((cells) => `${cells.map(field).join(',')}\r\n`).join('');
}

function shown({ columns, rows }: Table): string[][] {
  return rows.map((row) => row.map((v, i) => show(v, columns[i]?.digits)));
}

function isNumeric({ columns }: Table, column: number): boolean {
  return columns[column]?.digits !== undefined;
}
