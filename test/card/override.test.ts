/** Fields by flag, cards inside files, and the depth of networks. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { metadataKey } from '../../src/card/card.ts';
import { downsampling } from '../../src/card/multiple.ts';
import { overrideCard } from '../../src/card/override.ts';
import { cardPath, readCard } from '../../src/card/read.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { readModel } from '../../src/onnx/read.ts';
import { writeGraph } from '../../src/onnx/write.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { node } from '../helpers/onnx.ts';

describe('an override', () => {
  const schedule = { name: 'linear', timesteps: 500, betaStart: 0.001, betaEnd: 0.01 } as const;

  it.each<[Record<string, unknown>, object]>([
    [{ prediction: 'v' }, { prediction: 'v', schedule }],
    [{ 'schedule.timesteps': 100 }, { schedule: { ...schedule, timesteps: 100 } }],
    [{ 'schedule.name': 'cosine' }, { schedule: { name: 'cosine', timesteps: 500 } }],
    [
      { 'conditioning.a.b': 3, 'conditioning.y': 7 },
      { schedule, conditioning: { 'a.b': 3, y: 7 } },
    ],
  ])('of %j', (overrides, expected) => {
    expect(overrideCard({ schedule }, overrides)).toEqual(expected);
  });

  it('of a card without a schedule starts from the usual one', () => {
    expect(overrideCard({}, { 'schedule.name': 'cosine' }).schedule).toEqual({
      name: 'cosine',
      timesteps: 1000,
    });
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [{ colour: 1 }, /no field 'colour'/],
    [{ 'schedule.colour': 1 }, /no field 'schedule\.colour'/],
    [{ prediction: 'noise' }, /prediction: /],
    [{ 'conditioning.y': 'cat' }, /conditioning\.y: /],
  ])('of %j is refused', (overrides, message) => {
    expect(() => overrideCard({}, overrides)).toThrow(message);
  });
});

it('the card inside a model counts less than the one beside it', async () => {
  const file = path.join(temporaryFolder(), 'net.onnx');
  const b = new GraphBuilder();
  b.output(b.op('Relu', [b.input('x', 'float32', [1])]), 'y');
  const inside = { prediction: 'v', range: '[0,1]', hue: 1 };
  await writeGraph(b.graph, file, { metadata: { [metadataKey]: JSON.stringify(inside) } });
  await writeFile(cardPath(file), '{"prediction": "x0"}');
  const { card, warnings } = await readCard(file, await readModel(file));
  expect(card).toEqual({ prediction: 'x0', range: '[0,1]' });
  expect(warnings).toEqual([`${file}: metadata dsg.card: unknown field 'hue' is ignored`]);
});

describe('down-sampling', () => {
  const conv = (from: string, to: string, stride: number) =>
    node('Conv', [from, 'w'], [to], { strides: [stride, stride] });
  const up = (from: string, to: string) => node('Resize', [from, '', 's'], [to]);

  it.each([
    ['none', [conv('x', 'y', 1)], 1],
    ['two levels and back', [conv('x', 'a', 2), conv('a', 'b', 2), up('b', 'c'), up('c', 'y')], 4],
    ['patches of 16', [conv('x', 'y', 16)], 16],
    ['down, up, down', [conv('x', 'a', 2), up('a', 'b'), conv('b', 'y', 2)], 2],
    ['off the path', [conv('z', 'a', 2), conv('x', 'y', 1)], 1],
    ['of shapes, which are no images', [node('Shape', ['x'], ['s']), conv('s', 'y', 2)], 1],
    ['of pooling', [node('AveragePool', ['x'], ['y'], { strides: [2, 2] })], 2],
  ])('%s', (_, nodes, expected) => expect(downsampling(nodes, 'x')).toBe(expected));

  it('cannot be told where a subgraph hides it', () => {
    const hidden = node('Local', ['x'], ['y']);
    hidden.domain = 'pkg';
    expect(downsampling([hidden], 'x')).toBeUndefined();
  });
});
