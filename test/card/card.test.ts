/** Model cards: what is read, what is inferred, what is refused. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CardFile } from '../../src/card/card.ts';
import { completeCard, type Signature } from '../../src/card/complete.ts';
import { cardPath, readCard } from '../../src/card/read.ts';
import type { ModelInput } from '../../src/onnx/dims.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();
const x: ModelInput = { name: 'sample', dtype: 'float32', shape: ['n', 3, 'h', 'w'] };
const t: ModelInput = { name: 'timestep', dtype: 'int64', shape: ['n'] };
const out: ModelInput = { name: 'out', dtype: 'float32', shape: ['n', 3, 'h', 'w'] };

const signature = (changes: Partial<Signature> = {}): Signature => ({
  inputs: [x, t],
  outputs: [out],
  where: 'm.onnx',
  ...changes,
});

describe('a missing card', () => {
  it('is filled in from names and shapes, and says so', () => {
    const { card, inferred } = completeCard({}, signature());
    expect(card).toMatchObject({
      inputs: { x: 'sample', timestep: 'timestep' },
      output: 'out',
      prediction: 'epsilon',
      learnedVariance: false,
      clip: true,
      schedule: { name: 'linear', timesteps: 1000 },
    });
    expect(inferred).toEqual([
      'learnedVariance: false (output is [n,3,h,w])',
      'prediction: epsilon (the usual one)',
      'range: [-1,1] (the usual one)',
      'schedule: {"name":"linear","timesteps":1000} (the usual one for pixel models)',
      'multiple: 8 (its depth cannot be told)',
    ]);
  });

  it('sees a learned variance in twice the channels', () => {
    const doubled = { ...out, shape: ['n', 6, 'h', 'w'] };
    expect(completeCard({}, signature({ outputs: [doubled] })).card.learnedVariance).toBe(true);
  });

  it('takes inputs in either order', () => {
    const { card } = completeCard({}, signature({ inputs: [t, x] }));
    expect(card.inputs).toEqual({ x: 'sample', timestep: 'timestep' });
  });

  it('feeds other inputs what the card says', () => {
    const label: ModelInput = { name: 'y', dtype: 'int64', shape: ['n'] };
    const conditional = signature({ inputs: [x, t, label] });
    expect(completeCard({ conditioning: { y: 7 } }, conditional).card.conditioning).toEqual({
      y: 7,
    });
    expect(() => completeCard({ conditioning: { z: 7 } }, signature())).toThrow(
      /conditions on 'z', which the model does not take/,
    );
  });

  it('feeds the class to the input that the card names', () => {
    const label: ModelInput = { name: 'y', dtype: 'int64', shape: ['n'] };
    const conditional = signature({ inputs: [x, t, label] });
    const classes = { input: 'y', count: 10, null: 10 };
    expect(completeCard({ classes }, conditional).card.classes).toEqual(classes);
    const fixed = { classes, conditioning: { y: 3 } };
    expect(completeCard(fixed, conditional).card.classes).toBeUndefined();
    expect(() => completeCard({ classes }, signature())).toThrow(
      /classes go to 'y', which the model does not take/,
    );
  });

  const image: ModelInput = { name: 'image', dtype: 'float32', shape: ['n', 3, 'h', 'w'] };
  const label: ModelInput = { name: 'y', dtype: 'int64', shape: ['n'] };
  it.each<[string, Partial<Signature>, CardFile, RegExp]>([
    ['no image', { inputs: [t] }, {}, /no image input \[N,C,H,W\]; the model takes timestep/],
    ['no timestep', { inputs: [x] }, {}, /no timestep input/],
    ['a second image', { inputs: [x, t, image] }, {}, /nothing feeds: image float32 \[n,3,h,w\]/],
    ['a class label', { inputs: [x, t, label] }, {}, /nothing feeds: y int64 \[n\]/],
    ['an unknown output', {}, { output: 'eps' }, /no output 'eps'; there are: out/],
    ['an unknown input', {}, { inputs: { x: 'z', timestep: 't' } }, /named 'z'/],
  ])('refuses %s', (_, changes, given, message) => {
    expect(() => completeCard(given, signature(changes))).toThrow(message);
  });
});

describe('a card beside the model', () => {
  const model = path.join(folder, 'net.onnx');
  const write = (content: string) => writeFile(cardPath(model), content);

  it('lies at NAME.card.json', () => {
    expect(cardPath('/a/net.onnx')).toBe('/a/net.card.json');
  });

  it('may be absent', async () => {
    expect(await readCard(path.join(folder, 'none.onnx'))).toEqual({ card: {}, warnings: [] });
  });

  it('warns of fields it does not know', async () => {
    await write('{"$schema": "card.schema.json", "prediction": "v", "colour": 1}');
    const { card, warnings } = await readCard(model);
    expect(card).toEqual({ prediction: 'v' });
    expect(warnings).toEqual([`${cardPath(model)}: unknown field 'colour' is ignored`]);
  });

  it.each([
    ['{"prediction": "noise"}', /prediction: /],
    ['{"schedule": {"name": "linear"}}', /schedule.timesteps: /],
    ['{"multiple": 0}', /multiple: /],
    ['[1]', /card.json: card: /],
    ['{', /not JSON/],
  ])('refuses %s', async (content, message) => {
    await write(content);
    await expect(readCard(model)).rejects.toThrow(message);
  });
});
