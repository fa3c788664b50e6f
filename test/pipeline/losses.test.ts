/** Several losses through one network: it is in their graph once, and they are what they are alone. */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { lossGraph, ports } from '../../src/guided/guided.ts';
import { lossesAt, type Loss } from '../../src/losses/loss.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { loadLosses, type Wish } from '../../src/pipeline/losses.ts';
import { openGraph } from '../../src/session/session.ts';
import { stack } from '../../src/tensor/batch.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { writePicture } from '../cli/harness.ts';
import { writeFeatures } from '../cli/loss-networks.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { randomTensor } from '../helpers/random.ts';
import { expectOthersBeside, writeBeside } from '../helpers/weights-beside.ts';

const folder = temporaryFolder();
const network = writeFeatures(path.join(folder, 'network.onnx'));
const single = writeFeatures(path.join(folder, 'single.onnx'), { single: true });
const target = path.join(folder, 'target.png');
await writePicture(target, 16, 5);

const content: Wish = { kind: 'features', network, layers: ['conv1'], target };
const style: Wish = { kind: 'style', network, layers: ['conv2'], weight: 0.5, target };
const shape = [2, 3, 16, 16] as const;

async function lossesOf(wishes: readonly Wish[]): Promise<readonly Loss[]> {
  const losses = await (await loadLosses(wishes)).of([3, 16, 16]);
  return lossesAt(losses, shape);
}

test.each<[Partial<Wish>, string]>([
  [{ weight: NaN }, 'weight is NaN, expected a finite number from 0'],
  [{ weight: -1 }, 'weight is -1, expected a finite number from 0'],
  [{ grid: -2 }, 'grid is -2, expected an integer from 1 to 1024'],
  [{ grid: 2.5 }, 'grid is 2.5, expected an integer from 1 to 1024'],
  [{ grid: 1e9 }, 'grid is 1000000000, expected an integer from 1 to 1024'],
  [{ kind: 'style', network, skip: -1 }, 'skip is -1, expected an integer from 0'],
])('refuses %j as they are loaded', async (odd, message) => {
  const wish: Wish = { kind: 'color', target: '#2040c0', ...odd };
  await expect(loadLosses([wish])).rejects.toThrow(new UserError(`${wish.kind}: ${message}`));
});

test.each([
  { left: -4, top: 0, width: 8, height: 8 },
  { left: 0, top: 0.5, width: 8, height: 8 },
  { left: 10, top: 0, width: 8, height: 8 },
])('refuses to look at %j', async (crop) => {
  await expect(lossesOf([{ kind: 'color', target: '#2040c0', crop }])).rejects.toThrow(
    /color: crop \S+ is not inside an image of 16×16/,
  );
});

/** Outputs and inputs of the network's convolutions. */
const convolutions = { conv1: '4,3', conv2: '6,4' } as const;

/** How often each convolution is there, forwards: backwards, its kernel is another. And its weights. */
function count({ nodes, values, initializers }: Graph): Record<string, number> {
  const kernel = (name: string | undefined): string | undefined => {
    const { shape = [] } = values.get(name ?? '') ?? {};
    return shape[2] === 3 ? shape.slice(0, 2).join() : undefined;
  };
  const used = nodes.filter((n) => n.opType === 'Conv').map((n) => kernel(n.input[1]));
  const weights = [...initializers.keys()].map(kernel);
  const known: readonly (string | undefined)[] = Object.values(convolutions);
  return {
    conv1: used.filter((k) => k === convolutions.conv1).length,
    conv2: used.filter((k) => k === convolutions.conv2).length,
    weights: weights.filter((k) => known.includes(k)).length,
  };
}

async function run(losses: readonly Loss[]): Promise<{ loss: Tensor; gradient: Tensor }> {
  const session = await openGraph(lossGraph(losses, shape));
  const targets = losses.flatMap(({ parameters }, i) =>
    Object.entries(parameters).map(([name, value]) => {
      return [ports.lossParameter(i, name), stack([value, value])] as const;
    }),
  );
  const image = randomTensor('image', shape);
  const out = await session.run({ ...Object.fromEntries(targets), [ports.image]: image });
  await session.release();
  return { loss: out[ports.loss] as Tensor, gradient: out[ports.gradient] as Tensor };
}

function sum({ shape: s, data: a }: Tensor, { data: b }: Tensor): Tensor {
  return tensor(
    s,
    a.map((v, i) => v + (b[i] as number)),
  );
}

describe('two losses', () => {
  test.each<[string, Partial<Wish>, Partial<Wish>, ReturnType<typeof count>]>([
    ['of other layers', {}, {}, { conv1: 1, conv2: 1, weights: 2 }],
    ['of the same layer', {}, { layers: ['conv1'] }, { conv1: 1, conv2: 0, weights: 1 }],
    [
      'by another path to the file',
      {},
      { network: path.relative('.', network) },
      { conv1: 1, conv2: 1, weights: 2 },
    ],
    [
      'through a network of a batch of one: once for each image',
      { network: single },
      { network: single },
      { conv1: 2, conv2: 2, weights: 2 },
    ],
    ['of other ranges', {}, { range: '[0,1]' }, { conv1: 2, conv2: 1, weights: 2 }],
  ])('%s', async (_, changeContent, changeStyle, expected) => {
    const wishes = [
      { ...content, ...changeContent },
      { ...style, ...changeStyle },
    ];
    const both = await lossesOf(wishes);
    expect(count(lossGraph(both, shape))).toEqual(expected);

    const [a, b] = [
      await run(await lossesOf([wishes[0]!])),
      await run(await lossesOf([wishes[1]!])),
    ];
    const together = await run(both);
    for (const of of ['loss', 'gradient'] as const) {
      const apart = sum(a[of], b[of]);
      const scale = Math.max(...apart.data.map(Math.abs));
      const off = together[of].data.map((v, i) => Math.abs(v - (apart.data[i] as number)) / scale);
      expect(Math.max(...off)).toBeLessThan(1e-5);
    }
  });
});

test('weights beside a network that are replaced after it was read are not taken for its own', async () => {
  const file = path.join(folder, 'replaced.onnx');
  const write = (value: number): Promise<string> =>
    writeBeside(file, { shape: [1, 3, 1, 1], value }, (b, weights) => {
      const image = b.input('image', 'float32', [1, 3, 4, 4]);
      b.output(b.reduce('Sum', b.mul(image, weights), [1, 2, 3], false), 'sum');
    });
  await write(1);
  const losses = await loadLosses([{ kind: 'onnx', network: file }]);
  const of = await losses.of([3, 4, 4]);
  await expect(lossesAt(of, [1, 3, 4, 4])).resolves.toHaveLength(1);
  await expectOthersBeside(file, write);
  await expect(lossesAt(of, [1, 3, 4, 4])).rejects.toThrow('replaced or changed after');
});
