/** Charts as inline SVG; colours come from the page's style sheet by class. */
import { html, type Html } from './markup.ts';
import type { Scale } from './scale.ts';
import { quantile } from './summary.ts';

export const size = { width: 360, height: 230 };
/** Where the axes cross and end. */
export const frame = { left: 46, right: size.width - 12, top: 12, bottom: size.height - 38 };

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Half the height of its error bar. */
  readonly spread?: number | undefined;
  readonly label: string;
}

export interface Series {
  /** Of the method: colour and marker. */
  readonly method: number;
  /** 0 is drawn solid, higher ones fainter. */
  readonly rank?: number;
  readonly points: readonly Point[];
  readonly markers: boolean;
}

export interface Axes {
  /** What the chart shows, for those who do not see it. */
  readonly title: string;
  readonly x: Scale;
  readonly y: Scale;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Horizontal lines with a word each; one without a place on the axis is left out, as points are. */
  readonly rules?: readonly { readonly y: number; readonly label: string }[];
}

export function lineChart(axes: Axes, series: readonly Series[]): Html {
  return svg(axes, [
    ...xTicks(axes),
    ...series.map(
      (s) => html`<g class="series m${s.method} r${s.rank ?? 0}">${lines(axes, s)}</g>`,
    ),
  ]);
}

function lines({ x, y }: Axes, { points, markers, method }: Series): Html[] {
  const at = (p: Point): string => `${round(x.at(p.x))},${round(y.at(p.y))}`;
  // Not only an infinite PSNR: a logarithmic axis has no place for a loss of 0.
  const drawn = points.filter((p) => Number.isFinite(y.at(p.y)));
  const line = html`<polyline points="${drawn.map(at).join(' ')}" />`;
  if (!markers) return [line];
  return [
    line,
    ...drawn.map((p) => {
      const [cx, cy] = [round(x.at(p.x)), round(y.at(p.y))];
      const bar =
        p.spread !== undefined &&
        html`<line
          x1="${cx}"
          x2="${cx}"
          y1="${round(y.at(p.y - p.spread))}"
          y2="${round(y.at(p.y + p.spread))}"
        />`;
      return html`<g>${bar}${marker(method, cx, cy)}<title>${p.label}</title></g>`;
    }),
  ];
}

/** Shapes tell methods apart where colours do not. */
export function marker(method: number, x: number, y: number): Html {
  const shapes = [
    'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0',
    'M-4-4H4V4H-4Z',
    'M0-5 5 4H-5Z',
    'M0-5.5 5.5 0 0 5.5-5.5 0Z',
  ];
  return html`<path transform="translate(${x} ${y})" d="${shapes[method % shapes.length]!}" />`;
}

export interface Strip {
  readonly method: number;
  /** Under the strip. */
  readonly label: string;
  readonly values: readonly { readonly value: number; readonly label: string }[];
}

/** Every value as a dot, with median and quartiles. */
export function stripChart(axes: Omit<Axes, 'x' | 'xLabel'>, strips: readonly Strip[]): Html {
  const width = (frame.right - frame.left) / strips.length;
  const marks = strips.map((strip, i) => {
    const centre = frame.left + (i + 0.5) * width;
    return html`<g class="series m${strip.method}"
      >${dots(axes.y, strip, centre, width)}<text
        class="tick"
        x="${round(centre)}"
        y="${frame.bottom + 16}"
        text-anchor="middle"
        >${strip.label}</text
      ></g
    >`;
  });
  return svg({ ...axes, xLabel: 'method and steps' }, marks);
}

function dots(y: Scale, { values }: Strip, centre: number, width: number): Html[] {
  const finite = values.filter((v) => Number.isFinite(v.value));
  if (finite.length === 0) return [];
  const sorted = finite.map((v) => v.value).sort((a, b) => a - b);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => round(y.at(quantile(sorted, q))));
  const half = Math.min(22, width * 0.36);
  const box = html`<rect
      class="box"
      x="${round(centre - half)}"
      width="${round(2 * half)}"
      y="${high!}"
      height="${round(Math.max(1, low! - high!))}"
      rx="2"
    /><line
      class="median"
      x1="${round(centre - half)}"
      x2="${round(centre + half)}"
      y1="${middle!}"
      y2="${middle!}"
    />`;
  // The golden ratio spreads neighbours evenly, and the same at every rendering.
  const across = (i: number): number => centre + (((i * 0.618) % 1) - 0.5) * 1.5 * half;
  return [
    box,
    ...finite.map(
      ({ value, label }, i) =>
        html`<circle
          cx="${round(finite.length === 1 ? centre : across(i + 0.5))}"
          cy="${round(y.at(value))}"
          r="2.6"
          ><title>${label}</title></circle
        >`,
    ),
  ];
}

function xTicks({ x }: Axes): Html[] {
  return x.ticks.map(
    (v) =>
      html`<text class="tick" x="${round(x.at(v))}" y="${frame.bottom + 16}" text-anchor="middle"
        >${v}</text
      >`,
  );
}

function svg(axes: Omit<Axes, 'x'>, content: readonly Html[]): Html {
  const { title, y, xLabel, yLabel, rules = [] } = axes;
  const { left, right, top, bottom } = frame;
  const grid = y.ticks.map(
    (v) =>
      html`<line
          class="grid"
          x1="${left}"
          x2="${right}"
          y1="${round(y.at(v))}"
          y2="${round(y.at(v))}"
        /><text class="tick" x="${left - 6}" y="${round(y.at(v) + 3.5)}" text-anchor="end"
          >${v}</text
        >`,
  );
  const ruled = rules
    .filter((r) => Number.isFinite(y.at(r.y)))
    .map(
      (r) =>
        html`<g class="rule"
          ><line
            x1="${left}"
            x2="${right}"
            y1="${round(y.at(r.y))}"
            y2="${round(y.at(r.y))}"
          /><text x="${right}" y="${round(y.at(r.y) - 4)}" text-anchor="end">${r.label}</text></g
        >`,
    );
  const viewBox = `0 0 ${size.width} ${size.height}`;
  return html`<svg class="chart" viewBox="${viewBox}" role="img" aria-label="${title}">
    ${grid}${ruled}${content}
    <text class="axis" x="${(left + right) / 2}" y="${size.height - 4}" text-anchor="middle">
      ${xLabel}
    </text>
    <text
      class="axis"
      transform="translate(11 ${(top + bottom) / 2}) rotate(-90)"
      text-anchor="middle"
    >
      ${yLabel}
    </text>
  </svg>`;
}

function round(v: number): number {
  return Math.round(v * 10) / 10;
}
