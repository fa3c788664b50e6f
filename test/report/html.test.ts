/** The report in a real browser: it loads nothing, says nothing on the console, and works. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeImage } from '../../src/image/write.ts';
import { renderReport } from '../../src/report/html.ts';
import type { Results } from '../../src/report/results.ts';
import { chromiumPath, launch } from '../helpers/chromium.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { drawn } from '../helpers/images.ts';
import { fixture } from './fixture.ts';

const folder = temporaryFolder();

/** A flat picture of its own grey for every file. */
async function picturesOf(results: Results): Promise<Map<string, { src: string; error?: string }>> {
  const files = [...results.images, ...results.measurements, ...results.cells].map((f) => f.file);
  const pictures = new Map<string, { src: string; error?: string }>();
  for (const [i, file] of files.entries()) {
    const grey = async (v: number): Promise<string> => {
      const png = await encodeImage(
        drawn([3, 24, 32], () => v),
        'png',
      );
      return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
    };
    pictures.set(file, { src: await grey((2 * i) / files.length - 1), error: await grey(1) });
  }
  return pictures;
}

const hostile = '<img src=x onerror=alert(1)>"&';
const results = fixture({ images: ['cat', 'deep/dog', hostile], samples: 2 });
const page = renderReport(results, await picturesOf(results));

describe('the text of the page', () => {
  test('names nothing outside of it', () => {
    expect(page).not.toMatch(/(src|href|action)="(?!data:|#|\$)[^"]/);
    expect(page).not.toMatch(/@import|url\((?!data:)/);
  });

  test('escapes names', () => {
    expect(page).not.toContain(hostile);
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;&quot;&amp;');
  });

  test('says how to make it again', () => {
    for (const fact of [
      "--output 'my out'",
      'dsg 0.1.0',
      'c'.repeat(64),
      'noise &lt;converted&gt;',
    ])
      expect(page).toContain(fact);
    for (const { definition } of Object.values(results.metrics))
      expect(page).toContain(definition.replaceAll('"', '&quot;'));
  });

  test('says which files a network of a metric was', () => {
    const { psnr, ...rest } = results.metrics;
    const metrics = { ...rest, psnr: { ...psnr!, files: ['e'.repeat(64), 'f'.repeat(64)] } };
    const text = renderReport({ ...results, metrics }, new Map());
    expect(text).toContain(`sha256 <code>${'e'.repeat(64)}, ${'f'.repeat(64)}</code>`);
  });

  test.each([
    [
      'an infinite PSNR of measurements',
      (r: Results) => (r.measurements[0]!.scores['psnr'] = Infinity),
    ],
    ['one that is no number', (r: Results) => (r.measurements[0]!.scores['psnr'] = NaN)],
    ['an infinite mean', (r: Results) => (r.groups[0]!.statistics['psnr']!.mean = Infinity)],
    ['losses of 0', (r: Results) => r.cells.forEach(({ loss }) => (loss[3]![1] = 0))],
  ])('%s has no place in charts, which are whole', (_, change) => {
    const odd = structuredClone(fixture());
    change(odd);
    const charts = renderReport(odd, new Map()).match(/<svg class="chart".*?<\/svg>/gs) ?? [];
    expect(charts.length).toBeGreaterThan(0);
    for (const chart of charts) expect(chart).not.toMatch(/[\s"(,]-?(NaN|Infinity)[\s",)]/);
  });

  test('without pictures has no gallery, and the rest', () => {
    const plain = renderReport(results, new Map());
    expect(plain).not.toContain('id="images"');
    expect(plain).toContain('id="curves"');
  });
});

describe.skipIf(!chromiumPath)('in Chromium', () => {
  let browser: Browser;
  let view: Page;
  let complaints: string[];

  beforeAll(async () => {
    writeFileSync(join(folder, 'report.html'), page);
    browser = await launch(chromiumPath!);
  });
  afterAll(() => browser.close());

  beforeEach(async () => {
    complaints = [];
    view = await browser.newPage();
    view.on('console', (message) => complaints.push(message.text()));
    view.on('pageerror', (error) => complaints.push(error.message));
    view.on('dialog', (dialog) => complaints.push(dialog.message()));
    const file = pathToFileURL(join(folder, 'report.html')).href;
    view.on('request', (request) => {
      if (request.url() !== file && !request.url().startsWith('data:'))
        complaints.push(`asked for ${request.url()}`);
    });
    await view.goto(file);
  });
  afterEach(async () => {
    await view.close();
    if (complaints.length > 0) throw new Error(complaints.join('\n'));
  });

  const column = (n: number): Promise<string[]> =>
    view.locator(`#cells tbody tr:visible td:nth-child(${n})`).allInnerTexts();

  test('every picture decodes', async () => {
    const widths = await view.evaluate(
      `Promise.all([...document.images].map((i) => i.decode().then(() => i.naturalWidth)))`,
    );
    expect(widths).toEqual(Array.from({ length: 2 + 2 + 4 }, () => 32));
  });

  test('a column sorts up and down by value, and says so', async () => {
    const psnr = view.getByRole('columnheader', { name: /^PSNR/ }).last();
    const button = psnr.getByRole('button');
    const values = async (): Promise<number[]> => (await column(6)).map(Number);
    const before = await values();
    await button.click();
    expect(await psnr.getAttribute('aria-sort')).toBe('ascending');
    expect(await values()).toEqual([...before].sort((a, b) => a - b));
    await button.press('Enter');
    expect(await psnr.getAttribute('aria-sort')).toBe('descending');
    expect(await values()).toEqual([...before].sort((a, b) => b - a));
    await view.locator('#cells th button').first().click();
    expect(await psnr.getAttribute('aria-sort')).toBe('none');
    expect((await column(1))[0]).toBe(hostile);
  });

  test('rows are filtered by words', async () => {
    await view.getByLabel('Filter').fill('dog DPS 40');
    expect(new Set(await column(1))).toEqual(new Set(['deep/dog']));
    expect(new Set(await column(3))).toEqual(new Set(['dps']));
    expect(await view.locator('#count').innerText()).toBe('4 rows');
  });

  test('the slider moves by keyboard and uncovers the right picture', async () => {
    const slider = view.locator('#slider');
    const covered = async (): Promise<string> =>
      view.evaluate(`getComputedStyle(document.getElementById('picture-left')).clipPath`);
    await slider.focus();
    await slider.press('ArrowLeft');
    expect(await slider.inputValue()).toBe('49');
    await slider.press('End');
    expect(await covered()).toMatch(/^inset\(0px (calc\()?0%/);
    expect(await slider.getAttribute('aria-valuetext')).toBe('100 % Measurement');
    await slider.press('Home');
    expect(await covered()).toContain('100%');
  });

  test('pictures follow image, task and sample; a click in the grid compares', async () => {
    const source = (): Promise<string | null> => view.locator('#picture-right').getAttribute('src');
    const seen = new Set([await source()]);
    for (const [pick, value] of [
      ['task', 'inpaint'],
      ['sample', '1'],
      ['image', hostile],
    ] as const) {
      await view.locator(`#pick-${pick}`).selectOption({ value });
      seen.add(await source());
    }
    await view.locator('#grid button', { hasText: 'dps, 20 steps' }).click();
    seen.add(await source());
    expect(seen.size).toBe(5);
    expect(await view.locator('#pick-right').inputValue()).toBe('4');
    const pressed = view.locator('#grid button[aria-pressed=true]');
    expect(await pressed.innerText()).toContain('dps, 20 steps');
    await view.locator('#pick-left').selectOption({ label: 'Reference' });
    expect(await view.locator('#caption-left').innerText()).toContain('Reference');
  });

  test('what is compared comes back after an image that lacks it', async () => {
    const all = fixture();
    const missing = <T extends { image: string; task: string }>(of: readonly T[]): T[] =>
      of.filter(({ image, task }) => image !== 'deep/dog' || task !== 'sr');
    const rest = { ...all, cells: missing(all.cells), measurements: missing(all.measurements) };
    const file = join(folder, 'failed.html');
    writeFileSync(file, renderReport(rest, await picturesOf(rest)));
    const failed = await browser.newPage();
    await failed.goto(pathToFileURL(file).href);
    const captions = (): Promise<string[]> => failed.locator('.captions b').allInnerTexts();
    const see = async (image: string): Promise<string[]> => {
      await failed.locator('#pick-image').selectOption(image);
      return captions();
    };
    expect(await captions()).toEqual(['Measurement', 'dsg, 40 steps']);
    expect(await see('deep/dog')).toEqual(['Reference', 'Reference']);
    expect(await see('cat')).toEqual(['Measurement', 'dsg, 40 steps']);

    await failed.locator('#pick-left').selectOption({ label: 'dps, 20 steps' });
    await failed.locator('#grid button', { hasText: 'dps, 40 steps' }).click();
    expect(await see('deep/dog')).toEqual(['Reference', 'Reference']);
    expect(await see('cat')).toEqual(['dps, 20 steps', 'dps, 40 steps']);
    await failed.close();
  });

  test('errors take the place of results', async () => {
    const source = (): Promise<string | null> =>
      view.locator('#grid img').last().getAttribute('src');
    const before = await source();
    await view.getByLabel('Show errors').check();
    expect(await source()).not.toBe(before);
    expect(await view.locator('#ramp').isVisible()).toBe(true);
  });

  test('everything that acts has a name', async () => {
    const nameless =
      await view.evaluate(`[...document.querySelectorAll('input, select, button, a, svg[role]')]
      .filter((e) => !(e.ariaLabel || e.labels?.[0]?.textContent.trim() || e.textContent.trim()))
      .map((e) => e.outerHTML.slice(0, 80))`);
    expect(nameless).toEqual([]);
    const ids = await view.evaluate(`[...document.querySelectorAll('[id]')].map((e) => e.id)`);
    expect(new Set(ids as string[]).size).toBe((ids as string[]).length);
  });

  test.each(['light', 'dark'] as const)('fits phones and desktops, in %s', async (colorScheme) => {
    await view.emulateMedia({ colorScheme });
    for (const width of [320, 390, 768, 1280]) {
      await view.setViewportSize({ width, height: 800 });
      expect(await view.evaluate('document.documentElement.scrollWidth')).toBe(width);
    }
    const [ink, paper] = (await view.evaluate(
      `[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]`,
    )) as [string, string];
    expect(contrast(ink, paper)).toBeGreaterThan(10);
    expect(luminance(paper) < luminance(ink)).toBe(colorScheme === 'dark');
  });
});

/** Of WCAG 2. */
function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = (colour.match(/[\d.]+/g) ?? []).map((v) => {
    const s = Number(v) / 255;
    return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
