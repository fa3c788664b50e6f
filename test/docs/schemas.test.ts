/** The JSON Schemas in docs/ are those that dsg reads by. `vitest -u` writes them anew. */
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
