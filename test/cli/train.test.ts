import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';
import { dsg, expectDone, writePicture, type Circumstances } from './harness.ts';
import { writeShrinking } from './models.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const bytes = (name: string): Buffer => readFileSync(at(name));

/** A network that takes a few milliseconds a step. */
const small = ['--size', '8', '--width', '8', '--levels', '2', '--batch', '4', '--classes', '3'];

function train(name: string, args: readonly string[], given?: Circumstances) {
  const options = without(small, formOf(args));
  return dsg(['train', 'shapes', '-o', at(`${name}.onnx`), ...options, ...args], given);
}

/** Options that a network to start from has no use for. */
function formOf(args: readonly string[]): readonly string[] {
  return args.includes('--init') ? ['--width', '--levels'] : [];
}

/** Options, each with its value, but for some. */
function without(options: readonly string[], flags: readonly string[]): string[] {
  return options.filter((_, i) => !flags.includes(options[i - (i % 2)] as string));
}

beforeAll(async () => {
  await train('whole', ['--steps', '6', '--checkpoint-every', '4']);
  for (const name of ['photos/cats/1', 'photos/cats/2', 'photos/dogs/1', 'mixed/cats/1', 'mixed/2'])
    await writePicture(at(`${name}.png`), 12);
  symlinkSync(at('whole.onnx'), at('link.onnx'));
  writeShrinking(at('no-weights.onnx'));
  writeFileSync(at('own.card.json'), JSON.stringify({ prediction: 'v' }));
  writeFileSync(at('no-null.onnx'), bytes('whole.onnx'));
  const classes = { input: 'y', count: 3 };
  writeFileSync(at('no-null.card.json'), JSON.stringify({ classes }));
});

describe('dsg train', () => {
  it('writes a model, its card, the checkpoint and the loss of every step', async () => {
    const card = JSON.parse(bytes('whole.card.json').toString()) as Record<string, unknown>;
    expect(card).toMatchObject({
      name: 'whole',
      prediction: 'epsilon',
      schedule: { name: 'linear', timesteps: 1000 },
      classes: { input: 'y', count: 3, null: 3, names: ['circle', 'square', 'triangle'] },
    });
    expect(card['training']).toContain('6 steps of 4 images, generated circle, square, triangle');
    const lines = bytes('whole.training.csv').toString().trim().split('\n');
    expect(lines[0]).toBe('step,loss,t<250,t<500,t<750,t<1000,gradient norm');
    expect(lines.slice(1).map((line) => line.split(',')[0])).toEqual([...'012345']);
    const first = lines[1]?.split(',').map(Number) ?? [];
    // The new network predicts 0, and noise has variance 1.
    expect(first[1]).toBeGreaterThan(0.8);
    expect(first[1]).toBeLessThan(1.2);
    const bands = first.slice(2, 6);
    expect(bands.reduce((sum, v) => sum + v, 0) / 4).toBeCloseTo(first[1] as number, 4);
  });

  it('goes on after Ctrl-C to the same bytes', async () => {
    const interrupt = new AbortController();
    const watch = (text: string): void => {
      if (text.startsWith('step 2/6')) interrupt.abort();
    };
    const stopped = await train('again/whole', ['--steps', '6'], {
      signal: interrupt.signal,
      watch,
    });
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/interrupted: saved at step 2 of 6; --resume goes on\n$/);
    expect(existsSync(at('again/whole.onnx'))).toBe(true);

    const resumed = await train('again/whole', ['--steps', '6', '--resume']);
    expectDone(resumed);
    expect(resumed.stderr).toContain('resume: from step 2 of 6');
    for (const kind of ['onnx', 'card.json', 'training.safetensors', 'training.csv'])
      expect(bytes(`again/whole.${kind}`).equals(bytes(`whole.${kind}`))).toBe(true);
  });

  it('says so where Ctrl-C cannot save', async () => {
    const interrupt = new AbortController();
    const stopped = await train('unsaved', ['--steps', '6'], {
      signal: interrupt.signal,
      watch(text) {
        if (!text.startsWith('step 2/6')) return;
        mkdirSync(at('unsaved.onnx'));
        interrupt.abort();
      },
    });
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toContain('unsaved.onnx: it is not a regular file');
  });

  it('goes on for longer, from a log that ran ahead of the checkpoint', async () => {
    expectDone(await train('long', ['--steps', '3']));
    writeFileSync(at('long.training.csv'), `${bytes('long.training.csv').toString()}3,9\n4,9\n`);
    expectDone(await train('long', ['--steps', '6', '--resume']));
    expect(bytes('long.training.csv').equals(bytes('whole.training.csv'))).toBe(true);
    expect(bytes('long.training.safetensors').equals(bytes('whole.training.safetensors'))).toBe(
      true,
    );
  });

  it('goes on with another rate, which is told', async () => {
    expectDone(await train('slower', ['--steps', '2']));
    const resumed = await train('slower', ['--steps', '3', '--resume', '--rate', '1e-4']);
    expectDone(resumed);
    expect(resumed.stderr).toContain('resume: from step 2 of 3 (rate 0.001 before step 2)');
    const again = await train('slower', ['--steps', '4', '--resume', '--clip', '0.5']);
    expectDone(again);
    const card = JSON.parse(bytes('slower.card.json').toString()) as Record<string, unknown>;
    expect(card['training']).toContain(
      'rate 0.001 (rate 0.001 before step 2, rate 0.0001 before step 3, clip 1 before step 3)',
    );
  });

  it('keeps the losses up to a step that fails', async () => {
    const diverged = await train('diverged', ['--steps', '5', '--rate', '1e30']);
    expect(diverged.stderr).toContain('hint: try a lower --rate');
    expect(bytes('diverged.training.csv').toString()).toMatch(/\n0,/);
  });

  it('trains a new network as the card says', async () => {
    const said = ['prediction=v', 'schedule.timesteps=100', 'range=[0,1]', 'license=MIT'];
    const options = said.flatMap((field) => ['--card', field]);
    expectDone(await train('card', ['--steps', '1', '--schedule', 'cosine', ...options]));
    const card = JSON.parse(bytes('card.card.json').toString()) as Record<string, unknown>;
    expect(card).toMatchObject({
      prediction: 'v',
      range: '[0,1]',
      schedule: { name: 'cosine', timesteps: 100 },
      license: 'MIT',
    });
    const loss = (name: string): string | undefined =>
      bytes(`${name}.training.csv`).toString().split('\n')[1]?.split(',')[1];
    expect(loss('card')).not.toBe(loss('whole'));
  });

  it('says what it does not understand of a card', async () => {
    writeFileSync(at('strange.json'), JSON.stringify({ prediction: 'v', sort: 'odd' }));
    const done = await train('odd', ['--steps', '1', '--card-file', at('strange.json')]);
    expect(done.stderr).toMatch(/^note: .*strange\.json: .*sort/m);
  });

  it('begins where there is nothing to resume', async () => {
    expectDone(await train('fresh', ['--steps', '1', '--resume']));
  });

  it('trains on folders, whose sub-folders are classes', async () => {
    const run = (name: string, args: string[] = []) =>
      dsg(
        ['train', at('photos'), '-o', at(`${name}.onnx`), '--steps', '1', '--json', '-q'].concat(
          small.slice(0, -2),
          args,
        ),
      );
    const conditional = await run('classes');
    expectDone(conditional);
    expect(conditional.stderr).toBe('');
    const [entry] = (JSON.parse(conditional.stdout) as { results: Record<string, unknown>[] })
      .results;
    expect(entry).toMatchObject({
      files: ['onnx', 'card.json', 'training.safetensors', 'training.csv'].map((kind) =>
        at(`classes.${kind}`),
      ),
      steps: 1,
      card: { classes: { count: 2, names: ['cats', 'dogs'] } },
    });
    const plain = await run('no-classes', ['--classes', 'none']);
    expectDone(plain);
    expect(plain.stdout).not.toContain('"classes"');
  });

  it('trains on images of one name in several formats', async () => {
    for (const name of ['anim.png', 'anim.npy']) await writePicture(at(`formats/${name}`), 12);
    const done = await dsg(
      ['train', at('formats'), '-o', at('formats.onnx'), '--steps', '1'].concat(small.slice(0, -2)),
    );
    expectDone(done);
    const card = JSON.parse(bytes('formats.card.json').toString()) as Record<string, unknown>;
    expect(card['training']).toContain('1 steps of 4 images, 2 images');
  });

  it('starts from a model that there is', async () => {
    const args = ['--init', at('whole.onnx'), '--steps', '1', '--rate', '1e-9'];
    expectDone(await train('tuned', args));
    const card = JSON.parse(bytes('tuned.card.json').toString()) as Record<string, unknown>;
    expect(card['training']).toMatch(/; from whole\.onnx, SHA-256 [0-9a-f]{64}$/);
    // The loss is that of the trained network, at its first step.
    const loss = (name: string, line: number): number =>
      Number(bytes(`${name}.training.csv`).toString().split('\n')[line]?.split(',')[1]);
    expect(loss('tuned', 1)).not.toBeCloseTo(loss('whole', 1), 6);
  });

  it('gives a model that inspect knows', async () => {
    const { code, stdout } = await dsg(['inspect', at('whole.onnx'), '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      epsilonModel: { usable: true, inferred: [] },
      gradient: { possible: true },
    });
  });
});

describe('refused', () => {
  it.each<[what: string, data: string, args: string[], message: string]>([
    ['no such folder', 'nowhere', [], 'nowhere: not a folder of images, and not the word shapes'],
    ['an output that is no model', 'shapes', ['-o', at('x.pt')], 'a model is written as an .onnx'],
    ['an output below a file', 'shapes', ['-o', at('whole.onnx/x.onnx')], 'whole.onnx'],
    ['too many kinds', 'shapes', ['--classes', '9'], '9 kinds of shapes, there are 8'],
    ['a width', 'shapes', ['--width', '12'], 'width 12: expected a multiple of 8'],
    ['a depth', 'shapes', ['--levels', '4'], '4 levels: a side of 8 is not a multiple of 16'],
    ['images beside classes', at('mixed'), [], 'has images both in sub-folders and beside them'],
    ['a number of classes', at('photos'), ['--classes', '3'], 'but it has 2 sub-folders'],
    [
      'a checkpoint of an earlier run',
      'shapes',
      ['-o', at('whole.onnx')],
      'whole.training.safetensors: there is a checkpoint of an earlier run',
    ],
    [
      'other settings',
      'shapes',
      ['-o', at('whole.onnx'), '--resume', '--ema', '0.5', '--card', 'schedule.timesteps=500'],
      'made with other settings: timesteps 1000, now 500; ema 0.999, now 0.5',
    ],
    [
      'another prediction than before',
      'shapes',
      ['-o', at('whole.onnx'), '--resume', '--card', 'prediction=v'],
      'made with other settings: prediction epsilon, now v',
    ],
    [
      'a card that the model’s own would replace',
      'shapes',
      ['-o', at('own.onnx'), '--card-file', at('own.card.json')],
      'own.card.json: the card of',
    ],
    [
      'a card that was written by hand, which the model’s own would replace',
      'shapes',
      ['-o', at('own.onnx')],
      'own.card.json: the card of',
    ],
    [
      'a card that a new network cannot have',
      'shapes',
      ['--card', 'learnedVariance=true', '--card', 'inputs.x=image'],
      'card: a new network has its own learnedVariance, inputs.x',
    ],
    [
      'fewer steps than are taken',
      'shapes',
      ['-o', at('whole.onnx'), '--resume', '--steps', '2'],
      '6 steps are taken already, more than --steps 2',
    ],
    [
      'a model without weights',
      'shapes',
      ['--init', at('no-weights.onnx'), '--classes', 'none'],
      'no float32 weights',
    ],
    [
      'a model of other classes',
      'shapes',
      ['--init', at('whole.onnx'), '--classes', '4'],
      'tells 3 classes apart, the images have 4',
    ],
    [
      'a form of a network that has one',
      'shapes',
      ['--init', at('whole.onnx'), '--width', '16', '--blocks', '1'],
      `--width, --blocks: for new networks, and that of --init ${at('whole.onnx')} has its own form`,
    ],
    [
      'classes for a network that is told none',
      'shapes',
      ['--init', at('no-weights.onnx'), '--classes', '3'],
      'no-weights.onnx: the network is told no class, and there is --classes 3',
    ],
    [
      'a model of another size',
      'shapes',
      ['--init', at('whole.onnx'), '--size', '16'],
      'takes images of 8×8, to train on are squares of 16',
    ],
    [
      'to replace the model to start from',
      'shapes',
      ['--init', at('whole.onnx'), '-o', at('./whole.onnx'), '--resume'],
      'the trained model would replace the one to start from',
    ],
    [
      'to replace it through a link',
      'shapes',
      ['--init', at('link.onnx'), '-o', at('whole.onnx'), '--resume'],
      'the trained model would replace the one to start from',
    ],
    [
      'a share of no classes',
      'shapes',
      ['--classes', 'none', '--p-uncond', '0.2'],
      '--p-uncond withholds the class, and the network is told none',
    ],
    [
      'a new model of no null token',
      'shapes',
      ['--init', at('no-null.onnx')],
      'no-null.onnx: its card names no null token, which --p-uncond needs',
    ],
    ['a rate that diverges', 'shapes', ['--rate', '1e30', '--steps', '5'], 'the loss is '],
  ])('%s', async (what, data, args, message) => {
    const output = at(`refused ${what}.onnx`);
    const defaults = data === 'shapes' ? small : small.slice(0, -2);
    const rest = without(defaults, [...args, ...formOf(args)]);
    const options = args.includes('-o') ? args : ['-o', output, ...args];
    const { code, stderr } = await dsg(['train', data, ...rest, '--steps', '2', ...options]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(message) });
    expect(existsSync(output)).toBe(false);
  });
});
