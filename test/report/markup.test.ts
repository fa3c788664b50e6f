/** What is interpolated is escaped. */
import { expect, test } from 'vitest';
import { embeddedJson, html, raw } from '../../src/report/markup.ts';

test('text, numbers, lists, and what is left out', () => {
  const items = ['<b>', 'a & "b"'].map((t) => html`<i>${t}</i>`);
  expect(html`<b>${items}${undefined}${false}${0}</b>${raw('<u>')}`.html).toBe(
    '<b><i>&lt;b&gt;</i><i>a &amp; &quot;b&quot;</i>0</b><u>',
  );
});

test('JSON cannot end its script element', () => {
  const text = embeddedJson({ name: '</script><script>alert(1)</script>' }).html;
  expect(text).not.toContain('<');
  expect(JSON.parse(text)).toEqual({ name: '</script><script>alert(1)</script>' });
});
