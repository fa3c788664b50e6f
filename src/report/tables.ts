/** The tables of a benchmark. */
import type { MetricDefinition, Results } from './results.ts';
import type { Column, Table, Value } from './table.ts';

/** A line for each task, method and step count: means, and what spreads about them. */
export function groupTable({ groups, metrics, samples }: Results): Table {
  const columns: Column[] = [
    { title: 'task' },
    { title: 'method' },
    { title: 'steps', digits: 0 },
    { title: 'images', digits: 0 },
  ];
  const spread = samples > 1 ? (['±samples', 'best'] as const) : [];
  for (const [name, m] of Object.entries(metrics)) {
    columns.push({ title: titled(m), digits: m.digits });
    if (name === 'psnr')
      for (const title of ['±images', ...spread]) columns.push({ title, digits: m.digits });
  }
  const rows = groups.map((g) => {
    const row: Value[] = [g.task, g.method, g.steps, g.images];
    for (const name of Object.keys(metrics)) {
      const s = g.statistics[name];
      row.push(s?.mean);
      if (name !== 'psnr') continue;
      row.push(s?.deviation);
      if (samples > 1) row.push(s?.sampleDeviation, s?.bestByResidual);
    }
    return row;
  });
  return { columns, rows };
}

/** A line for each restoration. */
export function cellTable({ cells, metrics }: Results): Table {
  const names = Object.keys(metrics).filter((name) => cells.some((c) => name in c.scores));
  return {
    columns: [
      { title: 'image' },
      { title: 'task' },
      { title: 'method' },
      { title: 'steps', digits: 0 },
      { title: 'sample', digits: 0 },
      ...names.map((name) => ({ title: titled(metrics[name]!), digits: metrics[name]!.digits })),
      { title: 'file' },
    ],
    rows: cells.map((c) => [
      c.image,
      c.task,
      c.method,
      c.steps,
      c.sample,
      ...names.map((name) => c.scores[name]),
      c.file,
    ]),
  };
}

function titled({ label, unit }: MetricDefinition): string {
  return unit && !label.endsWith(`/${unit}`) && unit !== 's' ? `${label} ${unit}` : label;
}
