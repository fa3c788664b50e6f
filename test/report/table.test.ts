/** Tables in their three forms. */
import { expect, test } from 'vitest';
import { toCsv, toMarkdown, toText, type Table } from '../../src/report/table.ts';
import { cellTable, groupTable } from '../../src/report/tables.ts';
import { fixture } from './fixture.ts';

const table: Table = {
  columns: [{ title: 'image' }, { title: 'PSNR', digits: 2 }, { title: 'note' }],
  rows: [
    ['a|b', 25.12345, 'says "hi", twice'],
    ['long name', Infinity, undefined],
    ['c', NaN, 'two\nlines'],
  ],
};

test('terminal', () =>
  expect(toText({ ...table, rows: table.rows.slice(0, 2) })).toMatchInlineSnapshot(`
    "image       PSNR  note
    a|b        25.12  says "hi", twice
    long name      ∞  –
    "
  `));

test('Markdown', () =>
  expect(toMarkdown(table)).toMatchInlineSnapshot(`
    "| image | PSNR | note |
    | --- | --: | --- |
    | a\\|b | 25.12 | says "hi", twice |
    | long name | ∞ | – |
    | c | – | two lines |
    "
  `));

test('CSV, numbers in full', () =>
  expect(toCsv(table)).toBe(
    'image,PSNR,note\r\na|b,25.12345,"says ""hi"", twice"\r\nlong name,Infinity,\r\nc,NaN,"two\nlines"\r\n',
  ));

test('a benchmark', () =>
  expect(toText(groupTable(fixture()))).toMatchInlineSnapshot(`
  "task     method  steps  images  PSNR dB  ±images    SSIM  ‖y−A(x)‖  residual / noise
  sr       dsg        20       2    26.00     1.41  0.6500     1.156             0.963
  sr       dsg        40       2    27.00     1.41  0.6750     1.113             0.927
  sr       dps        20       2    25.00     1.41  0.6250     1.202             1.002
  sr       dps        40       2    26.00     1.41  0.6500     1.156             0.963
  inpaint  dsg        20       2    26.00     1.41  0.6500     1.156             0.963
  inpaint  dsg        40       2    27.00     1.41  0.6750     1.113             0.927
  inpaint  dps        20       2    25.00     1.41  0.6250     1.202             1.002
  inpaint  dps        40       2    26.00     1.41  0.6500     1.156             0.963
  "
`));

test('a benchmark of several samples', () =>
  expect(toText(groupTable(fixture({ tasks: ['sr'], steps: [20], samples: 3 }))))
    .toMatchInlineSnapshot(`
    "task  method  steps  images  PSNR dB  ±images  ±samples   best    SSIM  ‖y−A(x)‖  residual / noise
    sr    dsg        20       2    26.25     1.41      0.25  26.50  0.6563     1.145             0.954
    sr    dps        20       2    25.25     1.41      0.25  25.50  0.6312     1.190             0.992
    "
  `));

test('every restoration', () => {
  const { columns, rows } = cellTable(fixture({ images: ['cat'], tasks: ['sr'], steps: [20] }));
  expect(columns.map((c) => c.title)).toEqual([
    'image',
    'task',
    'method',
    'steps',
    'sample',
    'PSNR dB',
    'SSIM',
    '‖y−A(x)‖',
    'residual / noise',
    'file',
  ]);
  expect(rows).toEqual([
    ['cat', 'sr', 'dsg', 20, 0, 25, 0.625, 1.2, 1, 'sr/dsg-20/cat.sample0.png'],
    ['cat', 'sr', 'dps', 20, 0, 24, 0.6, 1.25, 25 / 24, 'sr/dps-20/cat.sample0.png'],
  ]);
});
