/** Tries a device out with a guided step. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { openCache } from '../cache/cache.ts';
import { temporaryFolder } from '../files/temporary.ts';
import { measurementLoss } from '../guided/measured.ts';
import { writeGraph } from '../onnx/write.ts';
import { gaussianBlur } from '../operators/blur.ts';
import { respace, steps } from '../schedules/respace.ts';
import type { SessionOptions } from '../session/session.ts';
import { gaussian, noiseKey } from '../tensor/noise.ts';
import { zeros } from '../tensor/tensor.ts';
import { imageChannels, seenShape, type Size } from './canvas.ts';
import { classCondition } from './condition.ts';
import { openDenoiser } from './denoiser.ts';
import { promptCondition } from './latent/prompt.ts';
import { betasOf, loadModel, type Model } from './model.ts';
import type { About } from './prepared.ts';
import { probeNetwork } from './probe.ts';

export interface Diagnosis {
  /** What the step was taken on. */
  readonly canvas: Size;
  /** Of the fastest of three guided steps. */
  readonly seconds: number;
  /** ‖device − CPU‖ / ‖CPU‖ of the output that is farthest off; undefined of the CPU itself. */
  readonly error: number | undefined;
}

/**
 * The same with a model of a few layers that every device should be able to run.
 * @throws UserError as `diagnose` does
 */
export function diagnoseProbe(session: SessionOptions): Promise<Diagnosis> {
  const size = 8;
  return inTemporaryFolder(async (folder) => {
    const file = path.join(folder, 'probe.onnx');
    await writeGraph(probeNetwork({ size, width: 8 }), file);
    return diagnose(await loadModel(file), { height: size, width: size }, session);
  });
}

/**
 * Compares a guided step with the CPU's, whatever the cache remembers, and times it.
 * @throws UserError if the device is not there, refuses the model, or computes something else
 */
export async function diagnose(
  model: Model,
  canvas: Size,
  session: SessionOptions,
): Promise<Diagnosis> {
  const { card } = model;
  const image = [imageChannels(model), canvas.height, canvas.width] as const;
  const losses = [measurementLoss(gaussianBlur({ size: 3, std: 1 }), zeros(image))];
  const condition = card.text
    ? (await promptCondition(model, { prompt: '' })).condition
    : classCondition(model, card.classes ? 0 : undefined);
  const subject = { losses, condition };
  return inTemporaryFolder(async (folder) => {
    const cache = openCache({ folder, limit: Infinity });
    const placement = { image, top: 0, left: 0 };
    const input = { model, like: subject, batch: 1, canvas, placement, session, cache };
    const denoiser = openDenoiser(input);
    try {
      const denoise = denoiser.bind([subject]);
      const [, step] = steps(respace(betasOf(card), 4));
      const x = gaussian(noiseKey(0, 'diagnosis'), 'x_T', 0, [1, ...seenShape(model, canvas)]);
      let seconds = Infinity;
      for (let run = 0; run < 3; run++) {
        const began = performance.now();
        await denoise(x, step as NonNullable<typeof step>, { gradient: true });
        // The first run prepares, and on GPUs compiles.
        if (run > 0) seconds = Math.min(seconds, (performance.now() - began) / 1000);
      }
      const verdicts = (await cache.list()).map(({ about }) => (about as About).verdict ?? {});
      const errors = verdicts.flatMap((verdict) => Object.values(verdict));
      return { canvas, seconds, error: errors.length > 0 ? Math.max(...errors) : undefined };
    } finally {
      await denoiser.release();
    }
  });
}

async function inTemporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await temporaryFolder('dsg-doctor-');
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
