/** The JSON Schemas in docs/ are those that dsg reads by. `vitest -u` writes them anew. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { cardFile } from '../../src/card/card.ts';
import { resultsSchema } from '../../src/report/results.ts';

it.each([
  ['card', 'The card of an ε-model for dsg, NAME.card.json beside NAME.onnx', cardFile],
  ['results', 'What `dsg bench` measured: results.json', resultsSchema],
] as const)('docs/%s.schema.json', async (name, title, schema) => {
  const document = { title, ...z.toJSONSchema(schema, { io: 'input' }) };
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot(`../../docs/${name}.schema.json`);
});

it('docs/models.md has every field of a card in its table', () => {
  const text = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8');
  const rows = text.slice(text.indexOf('## The card')).match(/^\| .*/gm) ?? [];
  const { schedule, text: prompt, latent, classes, inputs } = cardFile.def.shape;
  const parts = [schedule, prompt, latent, classes, inputs].map((part) => part.unwrap().shape);
  const fields = [cardFile.shape, ...parts].flatMap((shape) => Object.keys(shape));
  const table = rows.join('\n');
  expect(fields.filter((field) => !new RegExp(`[\`.]${field}\``).test(table))).toEqual([]);
});
