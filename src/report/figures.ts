/** The charts of a benchmark. */
import { frame, lineChart, marker, stripChart, type Series } from './chart.ts';
import { html, type Html } from './markup.ts';
import type { Cell, MetricDefinition, Results } from './results.ts';
import { linear, logarithmic, steps as stepScale } from './scale.ts';
import { mean, quantile, sameGroup } from './summary.ts';
import { show } from './table.ts';

/** Methods and tasks in the order of the results. */
export function methodsOf({ groups }: Results): string[] {
  return [...new Set(groups.map((g) => g.method))];
}

export function tasksOf({ groups }: Results): string[] {
  return [...new Set(groups.map((g) => g.task))];
}

/** Names of tasks in full. */
export function taskTitle(task: string): string {
  const titles: Record<string, string> = {
    inpaint: 'Inpainting',
    sr: 'Super-resolution',
    deblur: 'Deblurring',
  };
  return titles[task] ?? task;
}

/** What the markers of charts mean. */
export function legend(results: Results): Html {
  const items = methodsOf(results).map(
    (method, i) =>
      html`<li class="m${i}">
        <svg viewBox="-7 -7 14 14" width="14" height="14" aria-hidden="true" class="series">
          ${marker(i, 0, 0)}</svg
        >${method}
      </li>`,
  );
  return html`<ul class="legend" aria-label="Methods">
    ${items}
  </ul>`;
}

/** Metrics worth a curve: PSNR and the best perceptual one there is. */
export function curveMetrics({ metrics }: Results): string[] {
  const second = ['lpips', 'ssim'].find((m) => m in metrics);
  return ['psnr', ...(second === undefined ? [] : [second])].filter((m) => m in metrics);
}

/** A metric's mean against the number of steps, one chart a task. */
export function curves(results: Results, metric: string): Html[] {
  const definition = results.metrics[metric]!;
  return tasksOf(results).map((task) => {
    const groups = results.groups.filter((g) => g.task === task && metric in g.statistics);
    const series: Series[] = methodsOf(results).map((method, i) => ({
      method: i,
      markers: true,
      points: groups
        .filter((g) => g.method === method)
        .sort((a, b) => a.steps - b.steps)
        .map((g) => {
          const { mean: y, deviation } = g.statistics[metric]!;
          const value = withUnit(y, definition);
          return {
            x: g.steps,
            y,
            spread: deviation,
            label: `${method}, ${g.steps} steps: ${value}`,
          };
        }),
    }));
    const before = results.measurements
      .filter((m) => m.task === task && metric in m.scores)
      .map((m) => m.scores[metric]!);
    const rules = before.length > 0 ? [{ y: mean(before), label: 'measurement' }] : [];
    const ends = series.flatMap(({ points }) =>
      points.flatMap(({ y, spread = 0 }) => [y - spread, y + spread]),
    );
    const title = `${definition.label} against steps, ${taskTitle(task)}: ${series
      .flatMap((s) => s.points.map((p) => p.label))
      .join('; ')}`;
    const axes = {
      title,
      x: stepScale(
        groups.map((g) => g.steps),
        frame.left + 18,
        frame.right - 18,
      ),
      y: linear([...ends, ...rules.map((r) => r.y)], frame.bottom, frame.top),
      xLabel: 'sampling steps (log scale)',
      yLabel: labelled(definition),
      rules,
    };
    return figure(taskTitle(task), lineChart(axes, series));
  });
}

/** The loss along the way, relative to the noise, one chart a task. */
export function lossCurves(results: Results): Html[] {
  return tasksOf(results).flatMap((task) => {
    const ranks = [...new Set(results.groups.map((g) => g.steps))].sort((a, b) => b - a);
    const series = results.groups
      .filter((g) => g.task === task)
      .map((g) => ({
        method: methodsOf(results).indexOf(g.method),
        rank: Math.min(2, ranks.indexOf(g.steps)),
        markers: false,
        points: medianLoss(
          results.cells.filter((c) => sameGroup(c, g)),
          g.steps,
        ),
      }))
      .filter((s) => s.points.length > 1);
    if (series.length === 0) return [];
    const values = series.flatMap((s) => s.points.map((p) => p.y));
    const relative = results.cells.some((c) => noiseNorm(c) !== undefined);
    const axes = {
      title: `Loss against progress of sampling, ${taskTitle(task)}`,
      x: linear([0, 100], frame.left, frame.right),
      y: logarithmic([...values, ...(relative ? [1] : [])], frame.bottom, frame.top),
      xLabel: 'progress of sampling, %',
      yLabel: relative ? 'loss / noise' : 'loss',
      rules: relative ? [{ y: 1, label: 'noise level' }] : [],
    };
    return [figure(taskTitle(task), lineChart(axes, series))];
  });
}

/** The median over cells of the loss by progress; relative to the noise where it is known. */
function medianLoss(
  cells: readonly Cell[],
  steps: number,
): { x: number; y: number; label: string }[] {
  const byStep = new Map<number, number[]>();
  for (const cell of cells)
    for (const [index, loss] of cell.loss)
      byStep.set(index, [...(byStep.get(index) ?? []), loss / (noiseNorm(cell) ?? 1)]);
  const indices = thinned([...byStep.keys()].sort((a, b) => b - a));
  return indices.map((index) => {
    const sorted = byStep.get(index)!.sort((a, b) => a - b);
    return { x: (100 * (steps - index)) / steps, y: quantile(sorted, 0.5), label: '' };
  });
}

/** σ√m, from the two ways that a residual is given. */
function noiseNorm({ scores }: Cell): number | undefined {
  const { residual, residualRatio } = scores;
  return residual && residualRatio ? residual / residualRatio : undefined;
}

/** No more points than a chart has room for. */
function thinned(indices: readonly number[]): number[] {
  const every = Math.ceil(indices.length / 200);
  return indices.filter((_, i) => i % every === 0 || i === indices.length - 1);
}

/** Every image's score, by method and steps, one chart a task. */
export function distributions(results: Results, metric: string): Html[] {
  const definition = results.metrics[metric]!;
  return tasksOf(results).map((task) => {
    const groups = results.groups.filter((g) => g.task === task);
    const strips = groups.map((g) => ({
      method: methodsOf(results).indexOf(g.method),
      label: String(g.steps),
      values: results.cells
        .filter((c) => sameGroup(c, g) && metric in c.scores)
        .map((c) => ({
          value: c.scores[metric]!,
          label: `${c.image}, ${g.method}, ${g.steps} steps: ${withUnit(c.scores[metric]!, definition)}`,
        })),
    }));
    const values = strips.flatMap((s) => s.values.map((v) => v.value));
    const axes = {
      title: `${definition.label} of every image by method and steps, ${taskTitle(task)}`,
      y: linear(values, frame.bottom, frame.top),
      yLabel: labelled(definition),
    };
    return figure(taskTitle(task), stripChart(axes, strips));
  });
}

function figure(caption: string, chart: Html): Html {
  return html`<figure class="card">
    <figcaption>${caption}</figcaption>
    ${chart}
  </figure>`;
}

export function labelled({ label, unit }: MetricDefinition): string {
  return unit && unit !== 's' ? `${label}, ${unit}` : label;
}

export function withUnit(value: number, { digits, unit }: MetricDefinition): string {
  return `${show(value, digits)}${unit ? ` ${unit}` : ''}`;
}
