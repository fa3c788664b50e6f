/** Images that are bent towards losses, by the command line. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readImage } from '../../src/image/read.ts';
import { writeImage } from '../../src/image/write.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeGraph } from '../../src/onnx/write.ts';
import { readNpy, writeNpy } from '../../src/tensor/npy.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { digestsOf } from '../helpers/digests.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { graphOf, node } from '../helpers/onnx.ts';
import { randomTensor, relativeError } from '../helpers/random.ts';
import { drawn } from '../helpers/images.ts';
import { expectOthersBeside, writeBeside } from '../helpers/weights-beside.ts';
import { dsg, expectDone, filesIn, restore, writePicture } from './harness.ts';
import { writeModel, writeShrinking } from './models.ts';
import {
  writeEmbedder,
  writeFeatures,
  writeJudge,
  writeNetwork,
  writeSegmenter,
  writeTextTower,
} from './loss-networks.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const model = writeShrinking(at('open.onnx'));
const tokenizer = fileURLToPath(new URL('../fixtures/latent/sd15/tokenizer', import.meta.url));
const vgg = writeFeatures(at('vgg.onnx'));
const arcface = writeEmbedder(at('arcface.onnx'), { size: 8 });
const clip = writeEmbedder(at('clip.onnx'), { size: 24, output: 'image_embeds' });
const segmenter = writeSegmenter(at('segmenter.onnx'));
const judge = writeJudge(at('judge.onnx'), { single: true });
const tower = writeTextTower(at('tower.onnx'));
const picture = await writePicture(at('picture.png'), 20);
const labels = at('labels.npy');
await writeNpy(
  labels,
  tensor(
    [16, 16],
    Float32Array.from({ length: 256 }, (_, i) => (i % 16 < 8 ? 0 : 2)),
  ),
);
let runs = 0;
const fresh = (): string => at(`out-${runs++}`);

const size = ['--width', '16', '--steps', '8', '--device', 'cpu'];
const generate = (...args: string[]) => dsg(['generate', '--model', model, ...size, ...args]);
const json = (file: string): Record<string, unknown> =>
  JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
const lossOf = (out: string, name = '0000'): number =>
  json(join(out, `${name}.json`))['loss'] as number;

/** Every kind, by a loss and its target. */
const kinds: [string, string[]][] = [
  ['identity', ['--loss', `identity:${arcface}`, '--target', picture]],
  ['identity, l2', ['--loss', `identity:${arcface},distance=l2,crop=none`, '--target', picture]],
  ['features', ['--loss', `features:${vgg},layers=conv1+conv2`, '--target', picture]],
  ['style', ['--loss', `style:${vgg},layers=conv2,norm=imagenet`, '--target', picture]],
  ['segmentation', ['--loss', `segmentation:${segmenter}`, '--target', labels]],
  ['segmentation, l2', ['--loss', `segmentation:${segmenter},distance=l2`, '--target', picture]],
  [
    'text',
    [
      '--loss',
      `text:${clip},tokenizer=${tokenizer},tower=${tower}`,
      '--target',
      'a photo, of a cat',
    ],
  ],
  ['text, by a picture', ['--loss', `text:${clip}`, '--target', picture]],
  ['color', ['--loss', 'color', '--target', picture]],
  ['color, one', ['--loss', 'color,grid=1', '--target', '#ff8800']],
  ['color, palette', ['--loss', 'color,distance=palette', '--target', picture]],
  ['onnx', ['--loss', `onnx:${judge}`]],
];

describe.each(kinds)('%s', (_, args) => {
  it('is smaller where it guides than at first', async () => {
    const [out, before] = [fresh(), fresh()];
    expectDone(await generate(...args, '--rate', '0.5', '-o', out));
    expectDone(await generate(...args, '--rate', '0', '-o', before));
    expect(lossOf(out)).toBeLessThan(lossOf(before));
  });
});

describe('generate --loss', () => {
  it('does what the loss asks for', async () => {
    const out = fresh();
    const args = [
      '--loss',
      'color,grid=1',
      '--target',
      '#ff8800',
      '--rate',
      '0.6',
      '--steps',
      '40',
    ];
    expectDone(await generate(...args, '-o', out));
    const { data } = (await readImage(join(out, '0000.png'))).image;
    const mean = [0, 1, 2].map(
      (c) => data.slice(256 * c, 256 * (c + 1)).reduce((s, v) => s + v) / 256,
    );
    [1, 0.067, -1].forEach((v, c) => expect(Math.abs(mean[c]! - v)).toBeLessThan(0.25));
  });

  const ways: [string, string[]][] = [
    ['dps', ['--method', 'dps', '--step-size', '60']],
    ['freedom', ['--method', 'freedom', '--step-size', '0.3']],
    [
      'freedom by the signal',
      ['--method', 'freedom', '--step-rule', 'signal', '--step-size', '100'],
    ],
    ['ugd', ['--method', 'ugd', '--step-size', '60']],
    ['backward', ['--rate', '0.1', '--backward-steps', '3', '--backward-rate', '0.05']],
    ['dsg with time travel', ['--rate', '0.3', '--time-travel', '3', '--travel-to', '0.5']],
  ];
  it.each(ways)('by %s comes nearer than without', async (_, args) => {
    const [out, before] = [fresh(), fresh()];
    const loss = ['--loss', 'color', '--target', picture];
    expectDone(await generate(...loss, ...args, '-o', out));
    expectDone(await generate(...loss, '--rate', '0', '-o', before));
    expect(lossOf(out)).toBeLessThan(0.9 * lossOf(before));
  });

  it('gives the same bytes whatever batch and lanes, with all that there is', async () => {
    const args = [
      '--loss',
      `style:${vgg},layers=conv1`,
      '--target',
      picture,
      '--loss',
      `onnx:${judge},weight=0.5`,
      '--time-travel',
      '2',
      '--backward-steps',
      '2',
      '--guide-from',
      '0.2',
      '--guide-to',
      '0.9',
      '--count',
      '3',
    ];
    const names = ['0000', '0001', '0002'].map((n) => `${n}.png`);
    const made = async (...more: string[]) => {
      const out = fresh();
      expectDone(await generate(...args, ...more, '-o', out));
      return digestsOf(out, names);
    };
    const alone = await made();
    expect(new Set(Object.values(alone)).size).toBe(3);
    expect(await made('--batch', '3')).toEqual(alone);
    expect(await made('--batch', '2', '--lanes', '2')).toEqual(alone);
    expect(await made('--time-travel', '3')).not.toEqual(alone);
  });

  it('takes networks of the image alone beside one that compares', async () => {
    const compare = at('compare.onnx');
    const b = new GraphBuilder();
    const [x, y] = ['image', 'wanted'].map((name) => b.input(name, 'float32', [1, 3, 16, 16]));
    const apart = b.sub(x!, y!);
    b.output(b.reduce('Mean', b.mul(apart, apart), [1, 2, 3]), 'distance');
    writeFileSync(compare, encodeGraph(b.graph));
    const both = ['--loss', `onnx:${judge}`, '--loss', `onnx:${compare}`];
    const out = fresh();
    expectDone(await generate(...both, '--target', 'none', '--target', picture, '-o', out));
    const { losses } = json(join(out, '0000.json'))['options'] as { losses: object[] };
    expect(losses.map((loss) => 'target' in loss)).toEqual([false, true]);
    const { stderr, code } = await generate(...both, '--target', picture, '-o', fresh());
    expect(stderr).toMatch(/2 --loss and 1 --target: .*\nhint: .*'none'/);
    expect(code).toBe(1);
  });

  it('is recorded, and resumed only where network and target are the same', async () => {
    const out = fresh();
    const target = await writePicture(at('target.png'), 16);
    const args = ['--loss', `style:${vgg},layers=conv1,weight=2`, '--target', target, '-o', out];
    const done = await generate(...args);
    expectDone(done);
    expect(done.stderr).toContain(
      'open.onnx: 2 style through vgg.onnx, dsg rate 0.1 interval 1, ddim eta 1',
    );
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(json(join(out, '0000.json'))).toMatchObject({
      options: {
        losses: [
          {
            kind: 'style',
            layers: ['conv1'],
            weight: 2,
            network: { file: 'vgg.onnx', sha256: hash },
            target: { file: 'target.png', sha256: hash },
          },
        ],
        method: { name: 'dsg', rate: 0.1, interval: 1 },
        sampler: { name: 'ddim', eta: 1 },
      },
      loss: expect.any(Number),
    });
    expect((await generate(...args, '--resume')).stderr).toContain('1 of 1 complete');
    await writePicture(at('target.png'), 16, 3);
    expect((await generate(...args, '--resume')).stderr).toContain('0 of 1 complete');
  });

  it('is resumed only where weights beside a network are the same, of images or of texts', async () => {
    const writeScore = (value: number) =>
      writeBeside(at('score.onnx'), { shape: [3, 1, 1], value }, (b, w) => {
        const image = b.input('image', 'float32', [1, 3, 16, 16]);
        b.output(b.reduce('Mean', b.mul(image, w), [1, 2, 3]), 'score');
      });
    const writeTexts = (value: number) =>
      writeBeside(at('texts.onnx'), { shape: [600, 8], value }, (b, table) => {
        const vectors = b.op('Gather', [table, b.input('input_ids', 'int64', [1, 77])]);
        b.output(b.reduce('Mean', vectors, [1], false), 'text_embeds');
      });
    const [score, texts, out] = [await writeScore(0.5), await writeTexts(0.5), fresh()];
    const text = `text:${clip},tokenizer=${tokenizer},tower=${texts}`;
    const losses = ['--loss', `onnx:${score}`, '--loss', text, '--target', 'a cat'];
    const again = async () => (await generate(...losses, '-o', out, '--resume')).stderr;
    expect(await again()).toContain('0 of 1 complete');
    expect(await again()).toContain('1 of 1 complete');
    const weights = [expect.stringMatching(/^[0-9a-f]{64}$/)];
    expect(json(join(out, '0000.json'))['options']).toMatchObject({
      losses: [{ network: { weights } }, { tower: { weights } }],
    });
    await expectOthersBeside(score, writeScore);
    expect(await again()).toContain('0 of 1 complete');
    await expectOthersBeside(texts, writeTexts);
    expect(await again()).toContain('0 of 1 complete');
  });

  it('takes the published values, and options besides', async () => {
    const out = fresh();
    const args = [
      '--loss',
      'color',
      '--target',
      '#808080',
      '--preset',
      'dsg-style',
      '--steps',
      '10',
    ];
    const done = await generate(...args, '--rate', '0.3', '-o', out);
    expectDone(done);
    expect(json(join(out, '0000.json'))['options']).toMatchObject({
      method: { name: 'dsg', rate: 0.3, interval: 1, guideFrom: 0.3, guideTo: 0.7, timeTravel: 3 },
      sampler: { eta: 1 },
    });
  });

  it('takes the published values with ddpm, which has no eta', async () => {
    const out = fresh();
    const args = ['--loss', 'color', '--target', '#808080', '--preset', 'dsg-faceid'];
    expectDone(await generate(...args, '--sampler', 'ddpm', '-o', out));
    expect(json(join(out, '0000.json'))['options']).toMatchObject({
      method: { name: 'dsg', rate: 0.05, guideTo: 0.9 },
      sampler: { name: 'ddpm', variance: 'fixed_small' },
    });
    const idle = await generate(...args, '--sampler', 'ddpm', '--eta', '1', '-o', fresh());
    expect(idle.stderr).toContain('--eta belongs to --sampler ddim');
  });

  it('takes a text for a text where a folder has its name', async () => {
    const here = process.cwd();
    process.chdir(folder);
    mkdirSync('cat');
    const loss = [
      '--loss',
      `text:${clip},tokenizer=${tokenizer},tower=${tower}`,
      '--target',
      'cat',
    ];
    const out = fresh();
    expectDone(await generate(...loss, '-o', out));
    process.chdir(here);
    expect(json(join(out, '0000.json'))['options']).toMatchObject({ losses: [{ target: 'cat' }] });
  });

  it('reads what a network wants from the card beside it', async () => {
    const [plain, carded] = [fresh(), fresh()];
    const args = ['--loss', `features:${at('carded.onnx')},layers=conv1`, '--target', picture];
    writeFeatures(at('carded.onnx'));
    expectDone(await generate(...args, '-o', plain));
    const card = { range: '[0,1]', mean: [0.4, 0.4, 0.4], std: [0.2, 0.2, 0.2] };
    writeFileSync(at('carded.features.json'), JSON.stringify(card));
    expectDone(await generate(...args, '-o', carded));
    expect(lossOf(carded)).not.toBe(lossOf(plain));
    expect(json(join(carded, '0000.json'))['options']).toMatchObject({ losses: [{ card }] });
  });
});

describe('restore --loss', () => {
  it('goes beside the measurement', async () => {
    const image = await writePicture(at('photo.png'), 16);
    const args = [image, '--task', 'sr', '--simulate', '--model', model, '--steps', '6'];
    const [out, plain] = [fresh(), fresh()];
    const loss = ['--loss', 'color,grid=1,weight=20', '--target', '#ff0000'];
    const done = await restore([...args, ...loss, '-o', out]);
    expectDone(done);
    expect(done.stderr).toContain('sr, 20 color, dsg rate');
    expectDone(await restore([...args, '-o', plain]));
    const red = async (folder: string): Promise<number> => {
      const { data } = (await readImage(join(folder, 'photo.png'))).image;
      return data.slice(0, 256).reduce((s, v) => s + v, 0);
    };
    expect(await red(out)).toBeGreaterThan(await red(plain));
    expect(json(join(out, 'photo.json'))['options']).toMatchObject({
      losses: [{ kind: 'color', grid: 1, weight: 20, target: '#ff0000' }],
    });
    expect((await restore([...args, ...loss, '-o', out, '--resume'])).stderr).toContain('1 of 1');
  });
});

describe('with other models', () => {
  it('a latent one: losses see what its decoder makes, and so does backward guidance', async () => {
    const pipeline = fileURLToPath(new URL('../fixtures/latent/sd15', import.meta.url));
    const args = [
      'generate',
      '--model',
      pipeline,
      '--steps',
      '6',
      '--device',
      'cpu',
      '--width',
      '32',
      '--loss',
      'color,grid=1',
      '--target',
      '#ff0000',
    ];
    const [out, before] = [fresh(), fresh()];
    const backward = ['--backward-steps', '3', '--backward-rate', '0.2'];
    expectDone(await dsg([...args, '--rate', '0.9', ...backward, '-o', out]));
    expectDone(await dsg([...args, '--rate', '0', '-o', before]));
    expect(lossOf(out)).toBeLessThan(lossOf(before));
  });

  it('through windows: the loss is that of the whole image', async () => {
    const image = await writePicture(at('large.png'), 24);
    const args = [
      image,
      '--task',
      'sr',
      '--simulate',
      '--model',
      model,
      '--steps',
      '4',
      '--loss',
      'color,weight=5',
      '--target',
      '#00ff00',
      '--time-travel',
      '2',
      '--format',
      'npy',
    ];
    const [out, whole] = [fresh(), fresh()];
    expectDone(await restore([...args, '--tile', '16', '-o', out]));
    expectDone(await restore([...args, '-o', whole]));
    // The model treats each pixel by itself, so that nothing but rounding can differ.
    const [a, b] = [await readNpy(join(out, 'large.npy')), await readNpy(join(whole, 'large.npy'))];
    expect(relativeError(a, b)).toBeLessThan(1e-3);
  });
});

describe('bad input', () => {
  const value = (name: string, shape: number[]) => ({ name, dtype: 'float32' as const, shape });
  const write = (name: string, graph: Parameters<typeof encodeGraph>[0]): string => {
    writeFileSync(at(name), encodeGraph(graph));
    return at(name);
  };
  const image = value('image', [1, 3, 16, 16]);
  const rounding = write(
    'rounding.onnx',
    graphOf(17, [image], [value('out', [1, 3, 16, 16])], [node('Round', ['image'], ['out'])]),
  );
  const odd = write(
    'unknown.onnx',
    graphOf(17, [image], [value('out', [1, 3, 16, 16])], [node('Hardmax', ['image'], ['out'])]),
  );
  const nan = writeNetwork(at('nan.onnx'), (b, x) => ({
    score: b.reduce('Sum', b.op('Log', [b.sub(x, b.scalar(9, x))]), [1, 2, 3]),
  }));
  const small = at('small.npy');
  const broken = at('broken.npy');
  const wrongLabels = at('wrong-labels.npy');
  const long = 'the '.repeat(80);
  const write8 = async (): Promise<void> => {
    await writeNpy(small, randomTensor('small', [7]));
    await writeNpy(broken, tensor([8], new Float32Array(8).fill(NaN)));
    await writeNpy(wrongLabels, tensor([16, 16], new Float32Array(256).fill(3)));
    const grey = sharp(Buffer.alloc(256, 3), { raw: { width: 16, height: 16, channels: 1 } });
    await grey.clone().toColourspace('grey16').png().toFile(at('deep.png'));
    await grey.clone().png({ palette: true, colours: 2 }).toFile(at('shallow.png'));
    await writeImage(
      at('tall.png'),
      drawn([3, 8, 16], () => 0),
      'png',
    );
  };

  it.each<[string, string[], RegExp]>([
    [
      'no gradient path to x',
      ['--loss', `features:${rounding}`, '--target', picture],
      /features through rounding.onnx: no gradient reaches the image\nhint: .*rounds/,
    ],
    [
      'an operator without a rule',
      ['--loss', `features:${odd}`, '--target', picture],
      /features through unknown.onnx: cannot differentiate 1 operator\n {2}Hardmax/,
    ],
    [
      'a loss that is not scalar',
      ['--loss', `onnx:${vgg}`],
      /vgg.onnx, features: \[1,6,8,8\]: a loss is one number for each image\nhint: .*layers=NAME/,
    ],
    [
      'a missing layer',
      ['--loss', `style:${vgg},layers=conv3`, '--target', picture],
      /vgg.onnx: no layer 'conv3'\nhint: .*nearest are: conv[12], conv[12]/,
    ],
    [
      'an embedding of another size',
      ['--loss', `identity:${arcface}`, '--target', small],
      /small.npy: \[7\], expected \[8\] for identity, or an image \[3,16,16\]/,
    ],
    [
      'a target of NaN',
      ['--loss', `identity:${arcface}`, '--target', broken],
      /finite values, got NaN/,
    ],
    [
      'a label map of another size',
      ['--loss', `segmentation:${segmenter}`, '--target', at('tall.png')],
      /a label map \[8,16\], expected \[16,16\]/,
    ],
    [
      'a label that there is not',
      ['--loss', `segmentation:${segmenter}`, '--target', wrongLabels],
      /label 3 at row 0, column 0; the network knows 0 to 2/,
    ],
    [
      'a label map of 16 bits',
      ['--loss', `segmentation:${segmenter}`, '--target', at('deep.png')],
      /deep.png: a label map of 16 bits a pixel, expected 8\nhint: .*8 bits, or as .npy/,
    ],
    [
      'a label map of fewer bits',
      ['--loss', `segmentation:${segmenter}`, '--target', at('shallow.png')],
      /shallow.png: a label map of 1 bits a pixel, expected 8/,
    ],
    [
      'a picture for labels',
      ['--loss', `segmentation:${segmenter}`, '--target', picture],
      /in colour, expected grey values|a label map \[20,20\]/,
    ],
    [
      'a text that is too long',
      ['--loss', `text:${clip},tokenizer=${tokenizer},tower=${tower}`, '--target', long],
      /tokens, and the context holds 77: .* does not fit\nhint: shorten/,
    ],
    [
      'a text without its tower',
      ['--loss', `text:${clip}`, '--target', 'a cat'],
      /'a cat' needs a tokenizer and the network of texts\nhint: add tokenizer=FOLDER/,
    ],
    [
      'a mistyped picture for a text',
      ['--loss', `text:${clip},tokenizer=${tokenizer},tower=${tower}`, '--target', 'no.png'],
      /no\.png: .*no such/,
    ],
    [
      'a text tower of another model',
      [
        '--loss',
        `text:${writeEmbedder(at('clip5.onnx'), { dim: 5 })},tokenizer=${tokenizer},tower=${tower}`,
        '--target',
        'a cat',
      ],
      /embedding of the text has 8 values, that of the image 5/,
    ],
    ...[500, 700].map((vocabulary): [string, string[], RegExp] => {
      const other = writeTextTower(at(`tower${vocabulary}.onnx`), { vocabulary });
      return [
        `a tokenizer of another tower, of ${vocabulary} tokens`,
        ['--loss', `text:${clip},tokenizer=${tokenizer},tower=${other}`, '--target', 'a cat'],
        /tokenizer: not the tokenizer of .*: it knows [57]00 tokens, and the tokenizer 549/,
      ];
    }),
    ['NaN', ['--loss', `onnx:${nan}`], /0000: loss is NaN at step/],
    ['no target', ['--loss', 'color'], /1 --loss and 0 --target/],
    ['a target too many', ['--loss', 'color', '--target', 'a', '--target', 'b'], /1 --loss and 2/],
    [
      'a target that is not there',
      ['--loss', 'color', '--target', at('no.png')],
      /no\.png: .*no such/,
    ],
    [
      'a colour mistyped',
      ['--loss', 'color', '--target', '#12'],
      /#12: no colour.*\nhint: .*#rrggbb/,
    ],
    ['no network', ['--loss', 'style', '--target', picture], /style: a network is needed/],
    [
      'a network for colour',
      ['--loss', `color:${vgg}`, '--target', picture],
      /color: it takes no network/,
    ],
    ['an unknown kind', ['--loss', 'beauty', '--target', picture], /No kind of loss is 'beauty'/],
    [
      'an option of another kind',
      ['--loss', 'color,skip=1', '--target', picture],
      /no option 'skip'/,
    ],
    [
      'an option of another distance',
      ['--loss', 'color,distance=palette,grid=4', '--target', picture],
      /grid belongs to distance=grid, and the distance is palette\nhint: leave out grid/,
    ],
    ['a weight below 0', ['--loss', 'color,weight=-1', '--target', picture], /weight=-1: Expected/],
    [
      'a crop outside',
      ['--loss', 'color,crop=8:8:9:8', '--target', picture],
      /crop 8:8:9:8 is not inside/,
    ],
    [
      'a network of another size, told so',
      ['--loss', `features:${vgg},size=32`, '--target', picture],
      /takes \[batch,3,16,16\], the image is \[1,3,32,32\]\nhint: .*size=16x16/,
    ],
    [
      'a network of texts',
      ['--loss', `features:${tower}`, '--target', picture],
      /is an image \[N,C,H,W\]/,
    ],
    [
      'ugd without a strength',
      ['--loss', 'color', '--target', picture, '--method', 'ugd'],
      /needs --step-size/,
    ],
    [
      'pseudoinverse guidance without a measurement',
      ['--loss', 'color', '--target', picture, '--method', 'pigdm'],
      /pigdm follows the likelihood of a measurement/,
    ],
    ['guidance without losses', ['--method', 'dsg'], /--method dsg guides towards losses/],
    [
      'losses without guidance',
      ['--loss', 'color', '--target', picture, '--method', 'none'],
      /--loss needs guidance/,
    ],
    [
      'a preset without guidance',
      ['--preset', 'freedom-text', '--method', 'none'],
      /--preset belongs to --method dsg or .*, and the method is none\nhint: leave out --preset/,
    ],
    [
      'shares upside down',
      ['--loss', 'color', '--target', picture, '--guide-from', '0.8', '--guide-to', '0.2'],
      /0 <= from < to/,
    ],
    [
      'shares between two steps',
      ['--loss', 'color', '--target', picture, '--guide-from', '0.95', '--guide-to', '0.96'],
      /dsg: of 8 steps, from 0\.95 to 0\.96 of them, none is guided\nhint: guide a longer part/,
    ],
    [
      'an idle option',
      ['--loss', 'color', '--target', picture, '--step-rule', 'signal'],
      /--step-rule belongs to --method freedom/,
    ],
    [
      'an option that needs another',
      ['--loss', 'color', '--target', picture, '--travel-to', '0.5'],
      /--travel-to belongs to --time-travel/,
    ],
  ])('%s', async (_, args, message) => {
    await write8();
    const out = fresh();
    const done = await generate(...args, '-o', out);
    expect(done.stderr).toMatch(message);
    expect(done.code).toBe(1);
    expect(filesIn(folder).filter((f) => f.startsWith(out.slice(folder.length + 1)))).toEqual([]);
  });

  it('a network of three channels for grey images', async () => {
    const grey = writeModel(at('grey.onnx'), (b, x, t) => b.mul(x, t), { channels: 1 });
    const done = await dsg([
      'generate',
      '--model',
      grey,
      '--width',
      '16',
      '--steps',
      '4',
      '--loss',
      `features:${vgg}`,
      '--target',
      picture,
      '-o',
      fresh(),
    ]);
    expect(done.stderr).toMatch(/takes \[batch,3,16,16\], the image is \[1,1,16,16\]/);
  });
});
