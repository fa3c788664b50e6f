/** Runs dsg in this process and keeps what it prints; writes images to run it on. */
import { mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import sharp from 'sharp';
import { expect } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/main.ts';
import { writeImage } from '../../src/image/write.ts';
import { writeNpy } from '../../src/tensor/npy.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { drawn } from '../helpers/images.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Circumstances {
  readonly terminal?: boolean;
  readonly env?: Io['env'];
  readonly signal?: AbortSignal;
  /** Sees what goes to stderr as it goes there. */
  readonly watch?: (text: string) => void;
}

export async function dsg(
  args: readonly string[],
  { terminal = false, env: given = {}, signal, watch }: Circumstances = {},
): Promise<Outcome> {
  // Never the user's own; see helpers/cache-folder.ts.
  const env = { DSG_CACHE: process.env['DSG_CACHE'], ...given };
  const written = { stdout: '', stderr: '' };
  const output = (name: keyof typeof written) => ({
    isTTY: terminal,
    columns: 100,
    write(text: string) {
      written[name] += text;
      if (name === 'stderr') watch?.(text);
      return true;
    },
  });
  const io = { stdout: output('stdout'), stderr: output('stderr'), env };
  const code = await run(args, signal ? { ...io, signal } : io);
  return { code, ...written };
}

/** `dsg restore` on the CPU. */
export function restore(args: readonly string[], given?: Circumstances): Promise<Outcome> {
  return dsg(['restore', '--device', 'cpu', ...args], given);
}

/** That a command ended well; what it complained of, if it did not. */
export function expectDone({ code, stderr }: Outcome): void {
  expect({ code, complaint: code === 0 ? '' : stderr }).toEqual({ code: 0, complaint: '' });
}

/** Every file under a folder, relative to it, sorted. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** A picture with edges and slopes, another one for every `variant`. */
export function picture(size: number, variant = 0): Tensor {
  return drawn([3, size, size], (c, y, x) => {
    const disc = (x - size / 2 + variant) ** 2 + (y - size / 3) ** 2 < (size / 4) ** 2;
    return disc ? 0.7 - 0.4 * c : (x + y * (c - 1)) / size - 0.5;
  });
}

/** Writes a picture as PNG, or as .npy `[3,H,W]` by its extension; returns the path. */
export async function writePicture(file: string, size: number, variant = 0): Promise<string> {
  mkdirSync(dirname(file), { recursive: true });
  if (file.endsWith('.npy')) await writeNpy(file, picture(size, variant));
  else await writeImage(file, picture(size, variant), 'png');
  return file;
}

/** A black and white mask whose left half is kept. */
export async function writeHalfMask(file: string, width: number, height: number): Promise<string> {
  const pixels = Buffer.from(
    Uint8Array.from({ length: width * height }, (_, i) => (i % width < width / 2 ? 255 : 0)),
  );
  await sharp(pixels, { raw: { width, height, channels: 1 } })
    .png()
    .toFile(file);
  return file;
}
