/** A benchmark as one HTML file that needs nothing else. */
import { readFileSync } from 'node:fs';
import { curveMetrics, curves, distributions, labelled, legend, lossCurves } from './figures.ts';
import { gallery, type Pictures } from './gallery.ts';
import { embeddedJson, html, raw, type Html } from './markup.ts';
import { reproduction } from './reproduction.ts';
import type { Results } from './results.ts';
import { cellRows, groupRows, headlines } from './rows.ts';

/**
 * The page.
 * @param pictures of the images to show, by name; the tables hold them all
 */
export function renderReport(results: Results, pictures: Pictures): string {
  const shown = gallery(results, pictures);
  const losses = lossCurves(results);
  const sections = [
    section('summary', 'Summary', html`${headlines(results)}${groupRows(results)}`),
    section(
      'curves',
      'Quality against steps',
      html`${legend(results)}
        <p class="hint">
          Means over images; bars are one standard deviation of the images. Dashed: the measurement
          itself.
        </p>
        ${curveMetrics(results).map(
          (m) =>
            html`<h3>${labelled(results.metrics[m]!)}</h3>
              <div class="charts">${curves(results, m)}</div>`,
        )}`,
    ),
    shown && section('images', 'Images', shown.html),
    losses.length > 0 &&
      section(
        'loss',
        'Loss against step',
        html`${legend(results)}
          <p class="hint">
            ‖y − A(x̂₀)‖ of the guided steps (whitened where the settings say so), median over
            images, relative to the noise of the measurement. Fainter lines took fewer steps.
          </p>
          <div class="charts">${losses}</div>`,
      ),
    section(
      'distributions',
      'Distributions',
      html`${legend(results)}
        <p class="hint">A dot for each restoration; box: quartiles and median.</p>
        ${curveMetrics(results).map(
          (m) =>
            html`<h3>${labelled(results.metrics[m]!)}</h3>
              <div class="charts">${distributions(results, m)}</div>`,
        )}`,
    ),
    section('all', 'Every restoration', cellRows(results)),
    section('reproduce', 'To reproduce', reproduction(results)),
  ].filter((s) => s !== undefined && s !== false);
  return page(results, sections, shown ? shown.data : {}).html;
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly html: Html;
}

function section(id: string, title: string, content: Html): Section {
  const markup = html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${content}
  </section>`;
  return { id, title, html: markup };
}

function page(results: Results, sections: readonly Section[], data: object): Html {
  const { model, images, created, protocol, samples } = results;
  const day = created.slice(0, 10);
  const facts = [
    `${images.length} image${images.length === 1 ? '' : 's'}`,
    samples > 1 && `${samples} samples each`,
    `protocol ${protocol.name}`,
    model.card ?? model.file,
    day,
  ].filter((f) => f !== false);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
        />
        <link rel="icon" href="data:," />
        <title>dsg bench ${day}</title>
        <style>
          ${raw(asset('report.css'))}
        </style>
      </head>
      <body>
        <a class="skip" href="#summary">Skip to results</a>
        <header>
          <h1>Image restoration benchmark</h1>
          <p class="facts">${facts.map((f) => html`<span>${f}</span>`)}</p>
        </header>
        <nav aria-label="Sections">
          <ul>
            ${sections.map((s) => html`<li><a href="#${s.id}">${s.title}</a></li>`)}
          </ul>
        </nav>
        <main>${sections.map((s) => s.html)}</main>
        <footer>
          Made by dsg ${results.versions['dsg'] ?? ''}. All data is in this file; it loads nothing.
        </footer>
        <script type="application/json" id="data">
          ${embeddedJson(data)}
        </script>
        <script>
          ${raw(asset('report.js'))};
        </script>
      </body>
    </html> `;
}

function asset(name: string): string {
  return readFileSync(new URL(`../../assets/${name}`, import.meta.url), 'utf8');
}
