/** What is needed to make the results again, and to read them. */
import { html, type Html } from './markup.ts';
import type { MetricDefinition, Results } from './results.ts';

export function reproduction(results: Results): Html {
  const { command, versions, model, protocol, seed, samples, created, metrics } = results;
  const version = Object.entries(versions)
    .map(([name, v]) => `${name} ${v}`)
    .join(', ');
  const facts: [string, Html][] = [
    ['Versions', html`${version}`],
    [
      'Model',
      html`${model.card ?? ''} <code>${model.file}</code> sha256 <code>${model.sha256}</code>`,
    ],
    ...(model.inferred.length > 0
      ? [['Inferred', html`${model.inferred.join('; ')}`] as [string, Html]]
      : []),
    ['Protocol', html`${protocol.name}: ${protocol.source}${list(protocol.notes)}`],
    [
      'Seed',
      html`${seed}${samples > 1 && html`, samples 0 to ${samples - 1}`}; noise follows from seed,
      image name and sample`,
    ],
    ['Settings', list(settings(results))],
    ['Scored', html`${results.scored}`],
    [
      'Made',
      html`<time datetime="${created}">${created.replace('T', ' ').slice(0, 16)} UTC</time>`,
    ],
  ];
  return html`<pre class="card" tabindex="0" aria-label="Command"><code>${command}</code></pre>
    <dl class="facts-list">
      ${facts.map(
        ([term, text]) =>
          html`<dt>${term}</dt>
            <dd>${text}</dd>`,
      )}
    </dl>
    <h3>Metrics</h3>
    <dl class="facts-list">${Object.values(metrics).map(defined)}</dl>
    <details>
      <summary>Operators and noise of all ${results.measurements.length} measurements</summary>
      ${operators(results)}
    </details>`;
}

function defined({ label, unit, range, better, definition, files }: MetricDefinition): Html {
  const [low, high] = range;
  const bounds = `${low === null ? '(−∞' : `[${low}`}, ${high === null ? '∞)' : `${high}]`}`;
  const wish = better === 'one' ? 'closer to 1 is better' : `${better} is better`;
  const by = files && html` Its files have sha256 <code>${files.join(', ')}</code>.`;
  return html`<dt>${label}</dt>
    <dd>${definition}. Range ${bounds}${unit && ` ${unit}`}, ${wish}.${by}</dd>`;
}

function operators({ measurements }: Results): Html {
  const rows = measurements.map(
    (m) =>
      html`<tr>
        <td>${m.image}</td>
        <td>${m.task}</td>
        <td>${describe(m.operator)}</td>
        <td class="number">${m.sigma}</td>
        <td class="number">${m.seed}</td>
        <td><code title="${m.sha256}">${m.sha256.slice(0, 12)}…</code></td>
      </tr>`,
  );
  return html`<div class="scroll card tall" tabindex="0" role="region" aria-label="Operators">
    <table>
      <thead>
        <tr>
          <th scope="col">image</th>
          <th scope="col">task</th>
          <th scope="col">operator</th>
          <th scope="col" class="number">noise on [-1,1]</th>
          <th scope="col" class="number">seed</th>
          <th scope="col">hash</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

/** Step counts of the same settings share a line. */
function settings({ groups }: Results): string[] {
  const lines = groups.map((g) => `${g.task}: ${g.settings}`);
  return [...new Set(lines)].map((line) => {
    const steps = groups.filter((_, i) => lines[i] === line).map((g) => g.steps);
    return `${line}, ${steps.join(', ')} steps`;
  });
}

/** `scale 4`, `mask kept 0.512`: what of an operator is a number. */
function describe(operator: Readonly<Record<string, unknown>>): string {
  return Object.entries(operator)
    .filter(([key]) => key !== 'task' && key !== 'sha256')
    .map(([key, value]) =>
      typeof value === 'object' && value !== null
        ? `${key}: ${describe(value as Record<string, unknown>)}`
        : `${key} ${typeof value === 'number' ? Number(value.toPrecision(4)) : String(value)}`,
    )
    .join(', ');
}

function list(items: readonly string[]): Html {
  return items.length === 0
    ? html``
    : html`<ul>
        ${items.map((i) => html`<li>${i}</li>`)}
      </ul>`;
}
