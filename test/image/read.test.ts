/** Reading images: formats, depths, colour, transparency, orientation, and every refusal. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { writeAnimation } from '../../src/image/animate.ts';
import { readImage } from '../../src/image/read.ts';
import { writeNpy } from '../../src/tensor/npy.ts';
import { tensor, zeros, type Tensor } from '../../src/tensor/tensor.ts';
import { testData } from '../helpers/data.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { ramp } from '../helpers/images.ts';

const folder = temporaryFolder();
let files = 0;

async function saved(content: Sharp | Uint8Array, extension = 'img'): Promise<string> {
  const path = join(folder, `${files++}.${extension}`);
  await writeFile(path, content instanceof Uint8Array ? content : await content.toBuffer());
  return path;
}

const size = { width: 2, height: 1 };
const bytes = (channels: 1 | 2 | 3 | 4, ...samples: number[]) =>
  sharp(Uint8Array.from(samples), { raw: { ...size, channels } });
const words = (channels: 1 | 2 | 3 | 4, ...samples: number[]) =>
  sharp(Uint16Array.from(samples), { raw: { ...size, channels } });

/** Planar values in [-1,1] of interleaved RGB samples. */
const planes = (white: number, ...rgb: number[]) =>
  [0, 3, 1, 4, 2, 5].map((i) => Math.fround((rgb[i]! / white) * 2 - 1));
const values = (image: Tensor) => [...image.data];

describe('formats without loss', () => {
  const rgb = [0, 1, 2, 128, 254, 255];
  test.each<[string, Sharp]>([
    ['png', bytes(3, ...rgb).png()],
    ['palette png', bytes(3, ...rgb).png({ palette: true, quality: 100, dither: 0 })],
    ['webp', bytes(3, ...rgb).webp({ lossless: true })],
    ['tiff', bytes(3, ...rgb).tiff({ compression: 'lzw' })],
    [
      'png with an sRGB profile',
      bytes(3, ...rgb)
        .withIccProfile('srgb')
        .png(),
    ],
  ])('%s', async (_, file) => {
    const { image, notes } = await readImage(await saved(file));
    expect(image.shape).toEqual([3, 1, 2]);
    expect(values(image)).toEqual(planes(255, ...rgb));
    expect(notes).toEqual([]);
  });
});

describe('formats with loss come close', () => {
  const photo = ramp([3, 16, 16]).data;
  const raw = Uint8Array.from({ length: 768 }, (_, i) => 200 * Math.floor(i / 384) + 20);
  const file = () => sharp(raw, { raw: { width: 16, height: 16, channels: 3 } });
  test.each<[string, () => Sharp, number]>([
    ['jpeg', () => file().jpeg({ quality: 100, chromaSubsampling: '4:4:4' }), 3],
    ['avif of 8 bits', () => file().avif({ lossless: true }), 3],
    ['avif of 10 bits', () => file().avif({ lossless: true, bitdepth: 10 }), 3],
    ['avif of 12 bits', () => file().avif({ lossless: true, bitdepth: 12 }), 3],
    ['cmyk jpeg', () => file().toColourspace('cmyk').jpeg({ quality: 100 }), 40],
  ])('%s', async (_, make, tolerance) => {
    const { image, notes } = await readImage(await saved(make()));
    expect(image.data.length).toBe(photo.length);
    expect(notes).toEqual([]);
    for (let i = 0; i < 256; i++)
      expect(Math.abs(image.data[i]! * 127.5 + 127.5 - raw[i * 3]!)).toBeLessThan(tolerance);
  });
});

describe('16 bits', () => {
  const rgb = [65535, 0, 1, 12345, 54321, 333];
  const png = () =>
    words(3, ...rgb)
      .toColourspace('rgb16')
      .png();
  const profile = async (name: 'srgb' | 'p3') => {
    const carrier = await bytes(3, 0, 0, 0, 0, 0, 0).withIccProfile(name).png().toBuffer();
    return (await sharp(carrier).metadata()).icc!;
  };

  test('keep their precision', async () =>
    expect(values((await readImage(await saved(png()))).image)).toEqual(planes(65535, ...rgb)));

  test('and with an sRGB profile too', async () => {
    const file = withProfile(await png().toBuffer(), await profile('srgb'));
    expect(values((await readImage(await saved(file))).image)).toEqual(planes(65535, ...rgb));
  });

  // The sRGB values by the matrices of the two standards (both have the sRGB transfer function).
  test('a Display P3 profile is converted', async () => {
    const p3 = [180, 120, 90, 120, 130, 140].map((v) => v * 257);
    const srgb = [190.315, 116.5805, 83.9546, 117.602, 130.3995, 141.1031];
    const png = words(3, ...p3)
      .toColourspace('rgb16')
      .png();
    const file = withProfile(await png.toBuffer(), await profile('p3'));
    const { image } = await readImage(await saved(file));
    const expected = planes(255, ...srgb);
    image.data.forEach((v, i) => expect(Math.abs(v - expected[i]!)).toBeLessThan(0.5 / 127.5));
  });

  test('grey', async () => {
    const file = words(1, 300, 65535).toColourspace('grey16').png();
    expect((await sharp(await file.toBuffer()).metadata()).channels).toBe(1);
    expect(values((await readImage(await saved(file))).image)).toEqual(
      planes(65535, 300, 300, 300, 65535, 65535, 65535),
    );
  });

  // sRGB's transfer function of 100/255, which the profile says is linear.
  test.each([1, 2] as const)('a profile of grey is converted, %i channels', async (channels) => {
    const linear = channels === 1 ? [25700, 25700] : [25700, 65535, 25700, 65535];
    const png = words(channels, ...linear)
      .toColourspace('grey16')
      .png();
    const file = withProfile(await png.toBuffer(), linearGrey());
    const { image, notes } = await readImage(await saved(file));
    for (const v of image.data) expect(v).toBeCloseTo(168.11 / 127.5 - 1, 3);
    expect(notes).toEqual([]);
  });
});

test('grey becomes three equal channels', async () => {
  const file = bytes(1, 7, 200).toColourspace('b-w').png();
  expect((await sharp(await file.toBuffer()).metadata()).channels).toBe(1);
  expect(values((await readImage(await saved(file))).image)).toEqual(
    planes(255, 7, 7, 7, 200, 200, 200),
  );
});

describe('transparency', () => {
  const note = 'its transparency was flattened over mid-grey';
  test('opaque alpha is dropped', async () => {
    const file = bytes(4, 1, 2, 3, 255, 4, 5, 6, 255).png();
    const { image, notes } = await readImage(await saved(file));
    expect(values(image)).toEqual(planes(255, 1, 2, 3, 4, 5, 6));
    expect(notes).toEqual([]);
  });

  test('real alpha is flattened over 0, with a note', async () => {
    const file = bytes(4, 255, 0, 255, 0, 255, 0, 255, 51).png();
    const { image, notes } = await readImage(await saved(file));
    [0, 0.2, 0, -0.2, 0, 0.2].forEach((v, i) => expect(image.data[i]).toBeCloseTo(v, 7));
    expect(notes).toEqual([note]);
  });

  test('of a grey image of 16 bits', async () => {
    const file = words(2, 65535, 13107, 0, 65535).toColourspace('grey16').png();
    const { image, notes } = await readImage(await saved(file));
    [0.2, -1, 0.2, -1, 0.2, -1].forEach((v, i) => expect(image.data[i]).toBeCloseTo(v, 7));
    expect(notes).toEqual([note]);
  });
});

test('EXIF orientation is applied', async () => {
  // 6: the stored picture is to be turned clockwise by a quarter.
  const file = bytes(3, 10, 20, 30, 40, 50, 60).withMetadata({ orientation: 6 }).png();
  const { image } = await readImage(await saved(file));
  expect(image.shape).toEqual([3, 2, 1]);
  expect(values(image)).toEqual(planes(255, 10, 20, 30, 40, 50, 60));
});

test('an animation gives its first frame, with a note', async () => {
  const path = join(folder, 'animated.webp');
  const frames = [-0.5, 0.5].map((v) => tensor([3, 8, 8], new Float32Array(192).fill(v)));
  await writeAnimation(path, frames, 40);
  const { image, notes } = await readImage(path);
  expect(image.shape).toEqual([3, 8, 8]);
  expect(image.data[0]).toBeCloseTo(-0.5, 1);
  expect(notes).toEqual(['only the first of its 2 frames is used']);
});

test('a single pixel is an image', async () => {
  const file = sharp(Uint8Array.of(9, 8, 7), { raw: { width: 1, height: 1, channels: 3 } }).png();
  expect((await readImage(await saved(file))).image.shape).toEqual([3, 1, 1]);
});

describe('files that are refused', () => {
  const photo = sharp(
    Uint8Array.from({ length: 12288 }, (_, i) => (i * i * 7919) % 251),
    {
      raw: { width: 64, height: 64, channels: 3 },
    },
  );
  // python3 -c "import tifffile, numpy; tifffile.imwrite('float.tif', numpy.zeros((1, 1), '<f4'),
  // metadata=None, software=False)" and base64 (tifffile 2026)
  const floatTiff = Buffer.from(
    'SUkqAAgAAAANAAABBAABAAAAAQAAAAEBBAABAAAAAQAAAAIBAwABAAAAIAAAAAMBAwABAAAAAQAAAAYBAwABAAAAAQAA' +
      'ABEBBAABAAAAwAAAABUBAwABAAAAAQAAABYBBAABAAAAAQAAABcBBAABAAAABAAAABoBBQABAAAAqgAAABsBBQABAAAA' +
      'sgAAACgBAwABAAAAAQAAAFMBAwABAAAAAwAAAAAAAAABAAAAAQAAAAEAAAABAAAAAAAAAAAAAAAAAA==',
    'base64',
  );
  /** One UserError of one line that names the file. */
  const expectRefusal = async (path: string, message: string) => {
    const error: unknown = await readImage(path).catch((e: unknown) => e);
    if (!(error instanceof UserError)) throw error;
    expect(error.message).toContain(path);
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('\n');
  };

  test('missing', () => expectRefusal(join(folder, 'none.png'), 'no such file'));
  test('a folder', async () => {
    await mkdir(join(folder, 'folder.png'));
    await expectRefusal(join(folder, 'folder.png'), 'it is a folder');
  });
  test('empty', async () => expectRefusal(await saved(Buffer.alloc(0)), 'an empty file'));
  test('text', async () => expectRefusal(await saved(Buffer.from('some text')), 'not an image'));
  test('float samples', async () =>
    expectRefusal(await saved(floatTiff), 'expected 8 or 16 bits a sample, got float'));
  test.each(['png', 'jpeg', 'webp', 'tiff', 'avif', 'gif'] as const)(
    'half a %s',
    async (format) => {
      const whole = await photo.clone()[format]().toBuffer();
      await readImage(await saved(whole));
      await expectRefusal(await saved(whole.subarray(0, whole.length / 2)), 'a damaged one');
    },
  );

  test.each<[string, Tensor, string]>([
    ['two channels', zeros([2, 4, 4]), 'C 1 or 3, got [2,4,4]'],
    ['two images', zeros([2, 3, 4, 4]), 'got [2,3,4,4]'],
    ['no channel axis', zeros([4, 4]), 'got [4,4]'],
    ['no pixels', zeros([3, 0, 4]), 'got [3,0,4]'],
    ['NaN', tensor([1, 1, 3], Float32Array.of(0, NaN, Infinity)), 'got NaN at index 1'],
    ['infinity', tensor([1, 1, 2], Float32Array.of(0, -Infinity)), 'got -Infinity at index 1'],
    [
      'bytes',
      tensor([1, 1, 2], Float32Array.of(0, 200)),
      'around [-1,1], got one of magnitude 200',
    ],
  ])('.npy with %s', async (_, array, message) => {
    const path = join(folder, `${files++}.npy`);
    await writeNpy(path, array);
    await expectRefusal(path, message);
  });
});

describe('.npy', () => {
  test.each([[[3, 1, 2]], [[1, 3, 1, 2]]])('of shape %j, unclipped', async (shape) => {
    const path = join(folder, `${files++}.NPY`);
    const data = Float32Array.of(-1.2, 0, 0.1, 0.2, 0.3, 1.7);
    await writeNpy(path, { shape, data });
    expect(await readImage(path)).toEqual({ image: tensor([3, 1, 2], data), notes: [] });
  });

  test('grey', async () => {
    const path = join(folder, `${files++}.npy`);
    await writeNpy(path, tensor([1, 1, 2], Float32Array.of(-1, 0.5)));
    expect(values((await readImage(path)).image)).toEqual([-1, 0.5, -1, 0.5, -1, 0.5]);
  });
});

const faces = testData('ffhq');

describe.skipIf(faces === undefined)('a photograph', () => {
  test('is 256x256 with no notes', async () => {
    const { image, notes } = await readImage(join(faces!, '00003.png'));
    expect(image.shape).toEqual([3, 256, 256]);
    expect(notes).toEqual([]);
    expect(image.data.reduce((a, b) => Math.max(a, b))).toBeLessThanOrEqual(1);
    expect(image.data.reduce((a, b) => Math.min(a, b))).toBeGreaterThanOrEqual(-1);
  });
});

/** An ICC profile of grey values that are linear in light: a header, and three tags. */
function linearGrey(): Buffer {
  const d50 = [0.9642, 1, 0.8249].map((v) => Math.round(v * 65536));
  const int = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer).swap32();
  const tag = (name: string, ...parts: Buffer[]): Buffer =>
    Buffer.concat([Buffer.from(name), int(0), ...parts]);
  const tags: [name: string, content: Buffer][] = [
    ['wtpt', tag('XYZ ', int(...d50))],
    ['kTRC', tag('curv', int(1), Buffer.of(1, 0, 0, 0))],
    ['desc', tag('desc', int(5), Buffer.from('grey\0'), Buffer.alloc(79))],
  ];
  const start = 128 + 4 + 12 * tags.length;
  const table = [int(tags.length)];
  let size = start;
  for (const [name, content] of tags) {
    table.push(Buffer.from(name), int(size, content.length));
    size += content.length;
  }
  const header = Buffer.alloc(128);
  header.writeUInt32BE(size);
  header.writeUInt32BE(0x02200000, 8);
  header.write('mntrGRAYXYZ ', 12);
  header.write('acsp', 36);
  int(...d50).copy(header, 68);
  return Buffer.concat([header, ...table, ...tags.map(([, content]) => content)]);
}

/** A PNG with an embedded colour profile: an iCCP chunk after the header. */
function withProfile(png: Buffer, icc: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from('iCCPprofile\0\0', 'latin1'), deflateSync(icc)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length - 4);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  const headerEnd = 33;
  return Buffer.concat([
    png.subarray(0, headerEnd),
    length,
    body,
    checksum,
    png.subarray(headerEnd),
  ]);
}
