/** Restored images beside one another; the page's script fills in the pictures. */
import { methodsOf, taskTitle, tasksOf, withUnit } from './figures.ts';
import { ramp } from '../image/heat.ts';
import { brightest } from './error-map.ts';
import { html, type Html } from './markup.ts';
import type { Results, Scores } from './results.ts';

/** Data URIs by file of the results. */
export type Pictures = ReadonlyMap<string, { readonly src: string; readonly error?: string }>;

/** What the script shows: a picture with its name and scores. */
interface Shown {
  readonly src: string;
  readonly error?: string;
  readonly label: string;
  readonly scores: string;
}

/** Undefined where there are no pictures. */
export function gallery(
  results: Results,
  pictures: Pictures,
): { html: Html; data: object } | undefined {
  const images = results.images.filter((i) => pictures.has(i.file));
  if (images.length === 0) return undefined;
  const data = images.map((image) => ({
    name: image.name,
    width: image.width,
    height: image.height,
    reference: { ...pictures.get(image.file)!, label: 'Reference', scores: 'the clean image' },
    tasks: Object.fromEntries(
      tasksOf(results).map((task) => [task, taskPictures(results, pictures, image.name, task)]),
    ),
  }));
  const controls = html`<div class="controls">
    ${select(
      'image',
      'Image',
      images.map((i) => [i.name, i.name]),
    )}
    ${select(
      'task',
      'Task',
      tasksOf(results).map((t) => [t, taskTitle(t)]),
    )}
    ${
      results.samples > 1 &&
      select(
        'sample',
        'Sample',
        Array.from({ length: results.samples }, (_, k) => [String(k), String(k)]),
      )
    }
  </div>`;
  const note =
    images.length < results.images.length &&
    html`<p class="hint">
      ${images.length} of ${results.images.length} images, evenly spread over the range of PSNR.
    </p>`;
  return {
    html: html`${note}${controls}
      <div class="workbench">${slider}${grid}</div>`,
    data: { images: data },
  };
}

function taskPictures(results: Results, pictures: Pictures, image: string, task: string): object {
  const measurement = results.measurements.find((m) => m.image === image && m.task === task);
  const cells = results.cells.filter(
    (c) => c.image === image && c.task === task && pictures.has(c.file),
  );
  return {
    measurement: measurement && {
      ...pictures.get(measurement.file),
      label: 'Measurement',
      scores: showScores(measurement.scores, results),
    },
    results: cells.map((c) => ({
      method: c.method,
      methodIndex: methodsOf(results).indexOf(c.method),
      steps: c.steps,
      sample: c.sample,
      ...pictures.get(c.file)!,
      label: `${c.method}, ${c.steps} steps`,
      scores: showScores(c.scores, results),
    })) satisfies Shown[],
  };
}

function showScores(scores: Scores, { metrics }: Results): string {
  return ['psnr', 'ssim', 'lpips']
    .filter((m) => m in scores && m in metrics)
    .map((m) => {
      const { label, unit } = metrics[m]!;
      return `${unit ? '' : `${label} `}${withUnit(scores[m]!, metrics[m]!)}`;
    })
    .join(' · ');
}

function select(id: string, label: string, options: readonly (readonly [string, string])[]): Html {
  const choices = options.map(([value, text]) => html`<option value="${value}">${text}</option>`);
  return html`<label class="field"
    >${label}<select id="pick-${id}">
      ${choices}
    </select></label
  >`;
}

const slider = html`<noscript
    ><p>The pictures need JavaScript; figures and tables do not.</p></noscript
  >
  <div class="compare card" id="compare">
    <div class="sides">
      <label class="field">Left<select id="pick-left"></select></label
      ><label class="field">Right<select id="pick-right"></select></label>
    </div>
    <div class="stage">
      <img id="picture-right" alt="" /><img id="picture-left" alt="" />
      <div class="divider" aria-hidden="true"></div>
      <input
        type="range"
        id="slider"
        min="0"
        max="100"
        step="1"
        value="50"
        aria-label="Part of the image that shows the left picture, percent"
      />
    </div>
    <div class="captions">
      <p id="caption-left"></p>
      <p id="caption-right"></p>
    </div>
  </div>`;

const colours = ramp.map((c) => `rgb(${c.join(' ')})`).join(', ');

const grid = html`<div>
  <div class="grid-head">
    <h3 id="grid-title">By method and steps</h3>
    <label class="check"><input type="checkbox" id="show-errors" /> Show errors</label>
    <div class="ramp" id="ramp" hidden>
      <span>0</span
      ><span class="bar" style="background: linear-gradient(to right, ${colours})"></span
      ><span>≥ ${brightest} of 2</span>
    </div>
  </div>
  <div class="scroll" tabindex="0" role="region" aria-labelledby="grid-title">
    <div class="grid" id="grid"></div>
  </div>
  <p class="hint">Choose a picture to compare it with the left one of the slider.</p>
</div>`;
