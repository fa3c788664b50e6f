/** The path that a restoration took: x̂₀ every few steps. */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolderWithin } from '../files/folder.ts';
import { removeLeftovers } from '../files/leftovers.ts';
import { writeAnimation } from '../image/animate.ts';
import { writeImage } from '../image/write.ts';
import { imageAt } from '../tensor/batch.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Progress as Step } from '../pipeline/restore.ts';

/** x̂₀ of one image at a step. */
export interface Frame {
  /** N-1 at the noisiest step, 0 at the last. */
  readonly index: number;
  readonly x0: Tensor;
}

const frameName = /^\d{4,}\.png$/;
const delayMs = 100;

/** Whether a step belongs to the trace: every `every`-th one taken, and the last. */
export function isTraced(taken: number, index: number, every: number): boolean {
  return taken % every === 0 || index === 0;
}

/** The frames of every image of a batch at one step. */
export async function framesOf({ step, images }: Step): Promise<Frame[]> {
  const x0 = await images();
  return Array.from({ length: x0.shape[0] ?? 0 }, (_, i) => ({
    index: step.index,
    x0: imageAt(x0, i),
  }));
}

/** Where `writeTrace` writes to. */
export function tracePaths(stem: string): { folder: string; animation: string } {
  return { folder: `${stem}.trace`, animation: `${stem}.trace.webp` };
}

/**
 * Writes `STEM.trace/INDEX.png` for each frame, and all of them as `STEM.trace.webp`.
 * @returns the paths of all
 */
export async function writeTrace(stem: string, frames: readonly Frame[]): Promise<string[]> {
  const { folder, animation } = tracePaths(stem);
  await makeFolderWithin(folder);
  await removeLeftovers(folder);
  // Frames of a run with other steps would pass for this one's.
  for (const name of await readdir(folder))
    if (frameName.test(name)) await rm(path.join(folder, name));
  const files: string[] = [];
  for (const { index, x0 } of frames) {
    const file = path.join(folder, `${String(index).padStart(4, '0')}.png`);
    await writeImage(file, x0, 'png');
    files.push(file);
  }
  await writeAnimation(
    animation,
    frames.map((f) => f.x0),
    delayMs,
  );
  return [...files, animation];
}
