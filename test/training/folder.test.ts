import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeImage } from '../../src/image/write.ts';
import { imageAt } from '../../src/tensor/batch.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { folder, type FolderOptions } from '../../src/training/folder.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const at = temporaryFolder();
const plain: FolderOptions = { size: 4, fit: 'crop', mirror: false, seed: 0 };

/** Red grows to the right, green downwards, blue is `level`; all on the grid of 8 bits. */
function ramp(height: number, width: number, level = 0): Tensor {
  const value = (c: number, y: number, x: number): number => [8 * x, 8 * y, level][c] as number;
  const data = Float32Array.from({ length: 3 * height * width }, (_, i) => {
    const [y, x] = [Math.floor(i / width) % height, i % width];
    return value(Math.floor(i / width / height), y, x) / 127.5 - 1;
  });
  return tensor([3, height, width], data);
}

async function written(name: string, image: Tensor): Promise<string> {
  const file = join(at, `${name}.png`);
  await writeImage(file, image, 'png');
  return file;
}

describe('a folder of images', () => {
  it('is shown once an epoch, with the labels of its files', async () => {
    const levels = [0, 10, 20, 30, 40, 50];
    const files = await Promise.all(
      levels.map(async (v) => ({
        file: await written(`level${v}`, ramp(4, 4, v)),
        label: v < 30 ? 'low' : 'high',
      })),
    );
    const data = await folder(files, plain);
    expect(data.classes).toEqual(['high', 'low']);
    expect(data.description).toBe('6 images in 2 classes');
    const shown = [0, 1, 2].flatMap((step) => {
      const { x0, labels } = data.at(step, 2);
      return labels.map((label, i) => {
        const blue = imageAt(x0, i).data[32] as number;
        return { level: Math.round((blue + 1) * 127.5), label: data.classes[label] };
      });
    });
    expect(shown.map((s) => s.level).sort((a, b) => a - b)).toEqual(levels);
    for (const { level, label } of shown) expect(label).toBe(level < 30 ? 'low' : 'high');
  });

  it('keeps pixels that fit as they are', async () => {
    const image = ramp(4, 4, 77);
    const data = await folder([{ file: await written('exact', image), label: '' }], plain);
    expect(data.classes).toEqual([]);
    const { x0, labels } = data.at(0, 1);
    expect(labels).toEqual([0]);
    imageAt(x0, 0).data.forEach((v, i) => expect(v).toBeCloseTo(image.data[i] as number, 6));
  });

  it('cuts out the middle, or distorts', async () => {
    const file = await written('wide', ramp(4, 12));
    const redOf = async (fit: FolderOptions['fit']) => {
      const { x0 } = (await folder([{ file, label: '' }], { ...plain, fit })).at(0, 1);
      return [...x0.data.subarray(0, 4)].map((v) => Math.round((v + 1) * 127.5));
    };
    expect(await redOf('crop')).toEqual([32, 40, 48, 56]);
    const distorted = await redOf('resize');
    expect(distorted[0]).toBeLessThan(20);
    expect(distorted[3]).toBeGreaterThan(68);
  });

  it('mirrors about half of the images where it is asked to', async () => {
    const file = await written('mirrored', ramp(4, 4));
    const data = await folder([{ file, label: '' }], { ...plain, mirror: true });
    const { x0 } = data.at(0, 200);
    const rows = Array.from({ length: 200 }, (_, i) => [...imageAt(x0, i).data.subarray(0, 4)]);
    const falling = rows.filter((r) => (r[0] as number) > (r[3] as number));
    expect(Math.abs(falling.length - 100)).toBeLessThan(40);
    const first = rows.find((r) => (r[0] as number) < (r[3] as number));
    expect(falling[0]).toEqual(first?.toReversed());
    const other = await folder([{ file, label: '' }], plain);
    expect(data.identity).not.toBe(other.identity);
  });

  it('is refused where an image cannot be read, or memory would not hold them', async () => {
    const missing = { file: join(at, 'missing.png'), label: '' };
    await expect(folder([missing], plain)).rejects.toThrow('missing.png: no such file');
    const many = Array.from({ length: 1000 }, () => missing);
    await expect(folder(many, { ...plain, size: 1024 })).rejects.toThrow(
      '1000 images of 1024×1024 take 2.9 GiB',
    );
  });
});
