/** The tables of the page. */
import { labelled, methodsOf, taskTitle, tasksOf, withUnit } from './figures.ts';
import { html, type Html } from './markup.ts';
import type { Group, MetricDefinition, Results } from './results.ts';
import { mean } from './summary.ts';
import { show } from './table.ts';

/** For each task, which method and step count has the best mean. */
export function headlines(results: Results): Html {
  const metric = ['psnr', 'ssim'].find((m) => m in results.metrics);
  if (metric === undefined) return html``;
  const definition = results.metrics[metric]!;
  const tiles = tasksOf(results).map((task) => {
    const groups = results.groups.filter((g) => g.task === task && metric in g.statistics);
    const best = bestOf(groups, metric, definition);
    const measured = measurementMean(results, task, metric);
    const before =
      measured !== undefined &&
      html`<p class="hint">measurement ${withUnit(measured, definition)}</p>`;
    return (
      best &&
      html`<li class="card tile">
        <h3>${taskTitle(task)}</h3>
        <p class="big">${withUnit(best.statistics[metric]!.mean, definition)}</p>
        <p>${best.method}, ${best.steps} steps</p>
        ${before}
      </li>`
    );
  });
  return html`<ul class="tiles" aria-label="Best mean ${definition.label} by task">
    ${tiles.filter((t) => t !== undefined)}
  </ul>`;
}

function bestOf(
  groups: readonly Group[],
  metric: string,
  { better }: MetricDefinition,
): Group | undefined {
  const worth = (g: Group): number => {
    const value = g.statistics[metric]?.mean ?? NaN;
    return { higher: value, lower: -value, one: -Math.abs(value - 1) }[better];
  };
  return [...groups].sort((a, b) => worth(b) - worth(a))[0];
}

function measurementMean(results: Results, task: string, metric: string): number | undefined {
  const values = results.measurements
    .filter((m) => m.task === task && metric in m.scores)
    .map((m) => m.scores[metric]!);
  return values.length > 0 ? mean(values) : undefined;
}

/** Means by task, method and steps, the best of each task set off. */
export function groupRows(results: Results): Html {
  const metrics = Object.entries(results.metrics);
  const bodies = tasksOf(results).map((task) => {
    const groups = results.groups.filter((g) => g.task === task);
    const best = new Map(metrics.map(([m, d]) => [m, groups.length > 1 && bestOf(groups, m, d)]));
    const before = html`<tr class="quiet">
      <th scope="row">measurement</th>
      <td></td>
      ${metrics.map(([m, d]) => html`<td class="number">${show(measurementMean(results, task, m), d.digits)}</td>`)}
    </tr>`;
    const rows = groups.map(
      (g) =>
        html`<tr>
          <th scope="row">
            <span class="dot m${methodsOf(results).indexOf(g.method)}"></span>${g.method}
          </th>
          <td class="number">${g.steps}</td>
          ${metrics.map(([m, d]) => statistic(g, m, d, best.get(m) === g))}
        </tr>`,
    );
    return html`<tbody>
      <tr>
        <th colspan="${metrics.length + 2}" scope="colgroup" class="task">${taskTitle(task)}</th>
      </tr>
      ${before}${rows}
    </tbody>`;
  });
  const heads = metrics.map(
    ([, d]) =>
      html`<th scope="col" class="number" title="${d.definition}">${labelled(d)}${arrow(d)}</th>`,
  );
  const spread =
    results.samples > 1
      ? 'Mean ± standard deviation of the images; below it, the mean of the samples with the smallest residual.'
      : 'Mean ± standard deviation of the images.';
  return html`<div
      class="scroll card"
      tabindex="0"
      role="region"
      aria-label="Means by task, method and steps"
    >
      <table class="groups">
        <thead>
          <tr>
            <th scope="col">method</th>
            <th scope="col" class="number">steps</th>
            ${heads}
          </tr>
        </thead>
        ${bodies}
      </table>
    </div>
    <p class="hint">${spread}</p>`;
}

function statistic(group: Group, metric: string, d: MetricDefinition, best: boolean): Html {
  const s = group.statistics[metric];
  const spread =
    s?.deviation !== undefined && html`<small> ± ${show(s.deviation, d.digits)}</small>`;
  const chosen =
    ['psnr', 'ssim', 'lpips'].includes(metric) &&
    s?.bestByResidual !== undefined &&
    html`<br /><small>best by residual ${show(s.bestByResidual, d.digits)}</small>`;
  return html`<td class="number${best ? ' best' : ''}">
    ${show(s?.mean, d.digits)}${spread}${chosen}
  </td>`;
}

function arrow({ better }: MetricDefinition): Html {
  const [sign, words] = {
    higher: ['↑', 'higher is better'],
    lower: ['↓', 'lower is better'],
    one: ['→1', 'closer to 1 is better'],
  }[better] as [string, string];
  return html`<span class="arrow" role="img" aria-label="${words}"> ${sign}</span>`;
}

/** Every restoration; the page's script sorts and filters it. */
export function cellRows(results: Results): Html {
  const { cells, samples } = results;
  const metrics = Object.entries(results.metrics).filter(([m]) => cells.some((c) => m in c.scores));
  const head = (title: string, number: boolean): Html =>
    html`<th scope="col" aria-sort="none" ${number && html` class="number"`}>
      <button type="button">${title}<span class="order" aria-hidden="true"></span></button>
    </th>`;
  const rows = cells.map(
    (c) =>
      html`<tr>
        <td>${c.image}</td>
        <td>${c.task}</td>
        <td>${c.method}</td>
        ${cellValue(c.steps, 0)}${samples > 1 && cellValue(c.sample, 0)}${metrics.map(([m, d]) => cellValue(c.scores[m], d.digits))}
      </tr>`,
  );
  const heads = [
    head('image', false),
    head('task', false),
    head('method', false),
    head('steps', true),
    ...(samples > 1 ? [head('sample', true)] : []),
    ...metrics.map(([, d]) => head(labelled(d), true)),
  ];
  const failed =
    results.failures.length > 0 &&
    html`<h3>Failures</h3>
      <ul class="failures">
        ${results.failures.map((f) => html`<li><b>${f.what}</b> ${f.error}</li>`)}
      </ul>`;
  return html`<div class="controls">
      <label class="field"
        >Filter<input type="search" id="filter" placeholder="words, as in: sr dsg"
      /></label>
      <p class="hint" id="count" role="status">${cells.length} rows</p>
    </div>
    <div class="scroll card tall" tabindex="0" role="region" aria-label="Every restoration">
      <table id="cells">
        <thead>
          <tr>
            ${heads}
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    ${failed}`;
}

function cellValue(value: number | undefined, digits: number): Html {
  const exact = value === undefined ? '' : String(value);
  return html`<td class="number" data-value="${exact}">${show(value, digits)}</td>`;
}
