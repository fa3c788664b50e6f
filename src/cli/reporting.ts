/** Makes the report of a benchmark: reads its pictures, scales them down, writes the page. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { UserError } from '../errors.ts';
import { writeAtomic } from '../files/atomic.ts';
import { readImage } from '../image/read.ts';
import { resizeLanczos } from '../image/resize.ts';
import { toBytes } from '../image/write.ts';
import { errorMap } from '../report/error-map.ts';
import type { Pictures } from '../report/gallery.ts';
import { renderReport } from '../report/html.ts';
import { parseResults, type Results } from '../report/results.ts';
import { readBytes } from '../files/read.ts';
import { sameShape, type Tensor } from '../tensor/tensor.ts';
import type { ReportValues } from './commands/report.ts';
import type { Io } from './io.ts';

/** Longer sides are scaled down to this. */
const longestSide = 384;
/** Restorations in one page, at most: some 20 MB. */
const mostCells = 600;

/** @param file results.json, or the folder that it is in; @returns the exit code */
export async function writeReport(file: string, values: ReportValues, io: Io): Promise<number> {
  const folder = (await stat(file).catch(() => undefined))?.isDirectory() ?? false;
  const source = folder ? path.join(file, 'results.json') : file;
  const results = parseResults((await readBytes(source)).toString('utf8'), source);
  const { images: most, output } = values;
  if (!/\.html?$/i.test(output))
    throw new UserError(`${output}: a report is written as an .html file`, {
      hint: `-o ${output}.html`,
    });
  const missing: string[] = [];
  const pictures = await readPictures(results, { folder: path.dirname(source), most, missing, io });
  await writeAtomic(output, renderReport(results, pictures));
  io.stdout.write(`${output}\n`);
  if (missing.length > 0 && !values.quiet)
    io.stderr.write(
      `note: ${missing.length} pictures could not be read, the first being ${missing[0]}\n`,
    );
  return 0;
}

async function readPictures(
  results: Results,
  given: { folder: string; most: number; missing: string[]; io: Io },
): Promise<Pictures> {
  const pictures = new Map<string, { src: string; error?: string }>();
  for (const name of chosen(results, given.most)) {
    given.io.signal?.throwIfAborted();
    const read = async (file: string): Promise<Tensor | undefined> => {
      try {
        return preview((await readImage(path.join(given.folder, ...file.split('/')))).image);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        given.missing.push(file);
        return undefined;
      }
    };
    const file = results.images.find((i) => i.name === name)?.file as string;
    const clean = await read(file);
    if (!clean) continue;
    pictures.set(file, { src: await dataUri(clean) });
    for (const m of results.measurements.filter((other) => other.image === name)) {
      const image = await read(m.file);
      if (image) pictures.set(m.file, { src: await dataUri(image) });
    }
    for (const cell of results.cells.filter((c) => c.image === name)) {
      const image = await read(cell.file);
      if (!image) continue;
      const error = sameShape(image.shape, clean.shape) ? errorMap(image, clean) : undefined;
      const src = await dataUri(image);
      pictures.set(cell.file, { src, ...(error && { error: await dataUri(error) }) });
    }
  }
  return pictures;
}

/** Images evenly spread over the range of mean PSNR, worst and best among them, by name. */
function chosen({ images, cells }: Results, most: number): string[] {
  const perImage = Math.max(1, cells.length / Math.max(1, images.length));
  const count = Math.min(images.length, most, Math.ceil(mostCells / perImage));
  const score = (name: string): number => {
    const own = cells.filter((c) => c.image === name).map((c) => c.scores['psnr'] ?? 0);
    return own.reduce((sum, v) => sum + Math.min(v, 100), 0) / own.length || 0;
  };
  const ranked = images
    .map(({ name }) => ({ name, score: score(name) }))
    .sort((a, b) => a.score - b.score);
  const at = (i: number): number =>
    count === 1 ? 0 : Math.round((i * (ranked.length - 1)) / (count - 1));
  return Array.from({ length: count }, (_, i) => ranked[at(i)]!.name).sort();
}

function preview(image: Tensor): Tensor {
  const [, height = 0, width = 0] = image.shape;
  const scale = longestSide / Math.max(height, width);
  if (scale >= 1) return image;
  return resizeLanczos(image, Math.round(height * scale), Math.round(width * scale));
}

/** WebP: small images without loss, since every pixel is seen. */
async function dataUri(image: Tensor): Promise<string> {
  const [, height = 0, width = 0] = image.shape;
  const raw = { width, height, channels: 3 } as const;
  const small = Math.max(height, width) <= 96;
  const bytes = await sharp(toBytes(image), { raw })
    .webp(small ? { lossless: true } : { quality: 88 })
    .toBuffer();
  return `data:image/webp;base64,${bytes.toString('base64')}`;
}
