/** `--classifier`, with a model and a classifier that are exact. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Value } from '../../src/onnx/graph.ts';
import { readNpy } from '../../src/tensor/npy.ts';
import { writeClassifier } from '../helpers/classifiers.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { relativeError } from '../helpers/random.ts';
import { expectOthersBeside, writeBeside } from '../helpers/weights-beside.ts';
import { dsg, expectDone, filesIn, restore, writeHalfMask, writePicture } from './harness.ts';
import { writeClassConditional, writeExactClassifier } from './models.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const model = writeClassConditional(at('classes.onnx'));
const exact = writeExactClassifier(at('exact.onnx'));
/** The same network, of which nothing but the prediction for no class is known. */
const blind = writeClassConditional(at('blind.onnx'));
writeFileSync(at('blind.card.json'), JSON.stringify({ conditioning: { y: 3 } }));
let runs = 0;

const generate = (...args: string[]) => {
  const out = at(`out-${runs++}`);
  const common = ['--device', 'cpu', '--steps', '6', '--format', 'npy', '--count', '2'];
  return dsg(['generate', ...common, '-o', out, ...args]).then((done) => ({ ...done, out }));
};

async function first(...args: string[]) {
  const done = await generate(...args);
  expectDone(done);
  return readNpy(join(done.out, '0000.npy'));
}

function documentOf(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

describe('generate', () => {
  it('of a model without classes gives what a conditional one gives', async () => {
    const guided = await first('--model', blind, '--classifier', exact, '--class', '2');
    const conditional = await first('--model', model, '--class', '2');
    const without = await first('--model', blind);
    expect(relativeError(guided, conditional)).toBeLessThan(1e-3);
    expect(relativeError(without, conditional)).toBeGreaterThan(0.1);
  });

  it('of a conditional model adds to the class, as classifier-free guidance does', async () => {
    const args = ['--model', model, '--class', 'dark'];
    const guided = await first(...args, '--classifier', exact, '--classifier-scale', '1.5');
    const free = await first(...args, '--cfg-scale', '1.5');
    expect(relativeError(guided, free)).toBeLessThan(1e-3);
    expect(relativeError(guided, await first(...args))).toBeGreaterThan(2e-3);
  });

  it('says so, keeps it in the sidecar, and makes again what another classifier bent', async () => {
    const args = ['--model', model, '--class', 'dark', '--classifier'];
    const clean = writeClassifier(at('clean.onnx'), { image: [3, 4, 4] });
    const done = await generate(...args, exact, '--classifier-scale', '2');
    expectDone(done);
    expect(done.stderr).toContain('class 0 (dark), classifier exact.onnx scale 2');
    const { options, loss, model: used } = documentOf(join(done.out, '0001.json'));
    const { effectiveCard } = used as { effectiveCard: { classes: object } };
    expect(effectiveCard.classes).toEqual({ input: 'y', count: 3, null: 3 });
    expect(options).toMatchObject({
      class: 0,
      classifier: { file: 'exact.onnx', scale: 2, card: { range: '[-1,1]' } },
    });
    // −log p(c|x) at the end: it is of that class.
    expect(loss).toBeLessThan(0.01);
    const again = (file: string) =>
      generate(...args, file, '--classifier-scale', '2', '--resume', '-o', done.out);
    expect((await again(exact)).stderr).toContain('2 of 2 complete');
    expect((await again(clean)).stderr).toContain('0 of 2 complete');
  });

  it('is made again with other weights beside the classifier', async () => {
    const write = (value: number) =>
      writeBeside(at('beside.onnx'), { shape: [48, 3], value }, (b, w) => {
        const x = b.input('image', 'float32', [1, 3, 4, 4]);
        b.output(b.matMul(b.reshape(b.op('Tanh', [x]), [1, 48]), w), 'logits');
      });
    const args = ['--model', model, '--class', 'dark', '--classifier', await write(0.5)];
    const done = await generate(...args);
    expectDone(done);
    const again = async () => (await generate(...args, '--resume', '-o', done.out)).stderr;
    expect(await again()).toContain('2 of 2 complete');
    const weights = [expect.stringMatching(/^[0-9a-f]{64}$/)];
    const { options } = documentOf(join(done.out, '0000.json'));
    expect(options).toMatchObject({ classifier: { weights } });
    await expectOthersBeside(at('beside.onnx'), write);
    expect(await again()).toContain('0 of 2 complete');
  });
});

describe('restore', () => {
  it.each(['dsg', 'dps'])('%s: the hidden part is of the class', async (method) => {
    const picture = await writePicture(at('picture.png'), 4);
    const mask = await writeHalfMask(at('mask.png'), 4, 4);
    const greys: number[] = [];
    for (const label of ['0', '2']) {
      const out = at(`restored-${method}-${label}`);
      const how = ['--simulate', '--task', 'inpaint', '--mask', mask, '--steps', '6'];
      const guided = ['--model', blind, '--classifier', exact, '--class', label];
      const args = [picture, ...how, ...guided, '--method', method, '--format', 'npy', '-o', out];
      expectDone(await restore(args));
      const { data } = await readNpy(join(out, 'picture.npy'));
      greys.push(data.reduce((sum, v) => sum + v, 0) / data.length);
    }
    expect(greys[1]! - greys[0]!).toBeGreaterThan(0.3);
  });
});

describe('bad input', () => {
  const small = writeClassifier(at('small.onnx'), { image: [3, 2, 2] });
  const image = [3, 4, 4] as const;
  const meanOf = (b: GraphBuilder, x: Value): Value => b.reduce('Mean', x, [2, 3], false);
  const rounding = writeClassifier(at('rounding.onnx'), {
    image,
    head: (b, x) => meanOf(b, b.op('Round', [x])),
  });
  const spatial = writeClassifier(at('spatial.onnx'), { image, head: (b, x) => b.op('Tanh', [x]) });
  const nan = writeClassifier(at('nan.onnx'), {
    image,
    head: (b, x) => meanOf(b, b.op('Log', [b.sub(x, b.scalar(99, x))])),
  });

  it.each<[string, string[], RegExp]>([
    ['no class', ['--classifier', exact], /guides to a class.*\nhint: add --class/],
    [
      'a class that it does not have',
      ['--classifier', exact, '--class', '9'],
      /class 9 is not one/,
    ],
    ['another size', ['--classifier', small, '--class', '1'], /takes \[batch,3,2,2\], the images/],
    [
      'no gradient path to the image',
      ['--classifier', rounding, '--class', '1'],
      /rounding\.onnx: 'logits' does not depend on 'image' .*\nhint: .*rounds/,
    ],
    [
      'logits that are no vector',
      ['--classifier', spatial, '--class', '1'],
      /spatial\.onnx: 'logits' is \[1,3,4,4\], expected the logits of 1 image/,
    ],
    ['NaN', ['--classifier', nan, '--class', '1'], /0000: classifier gradient is NaN at step/],
    ['no such file', ['--classifier', 'none.onnx', '--class', '1'], /none\.onnx: cannot be read/],
    ['a model as classifier', ['--classifier', blind, '--class', '1'], /this one takes x/],
    ['a scale alone', ['--classifier-scale', '2'], /--classifier-scale belongs to.*\nhint: add/],
    ['a card alone', ['--classifier-card', 'range=[0,1]'], /--classifier-card belongs to/],
    ['a negative scale', ['--classifier-scale', '-1'], /Expected a number, 0 or more/],
    [
      'a range that there is not',
      ['--classifier', exact, '--class', '1', '--classifier-card', 'range=[0,2]'],
      /exact\.onnx: range: Invalid option/,
    ],
    ['a field without value', ['--classifier-card', 'range'], /Expected FIELD=VALUE/],
    [
      'a name without classes',
      ['--classifier', exact, '--class', 'dark'],
      /no class is named 'dark'/,
    ],
  ])('%s', async (_, args, message) => {
    const done = await generate('--model', blind, ...args);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(message);
    expect(existsSync(done.out) ? filesIn(done.out) : []).toEqual([]);
  });
});
