/** Where sampling begins: at the latent of a simple reconstruction, with the noise of the first step. */
import { UserError } from '../../errors.ts';
import { adjointGraph } from '../../guided/gluing.ts';
import type { Placement } from '../../guided/guided.ts';
import { visible } from '../../operators/operator.ts';
import { openGraph } from '../../session/session.ts';
import { stack } from '../../tensor/batch.ts';
import { tensor, zeros, type Tensor } from '../../tensor/tensor.ts';
import type { Step } from '../../schedules/respace.ts';
import type { Size } from '../canvas.ts';
import { operatorFeeds } from '../feeds.ts';
import type { Job, Measured } from '../job.ts';
import type { Autoencoder } from './autoencoder.ts';

export interface StartInput {
  readonly autoencoder: Autoencoder;
  readonly canvas: Size;
  readonly placed: Placement;
  /** The first that is taken. */
  readonly step: Step;
  /** x_T, `[N,C,h,w]` */
  readonly noise: Tensor;
}

/**
 * √ᾱ E(c Aᵀy) + √(1−ᾱ) ε: what the measurement shows is there from the beginning, as far as the
 * first step's noise leaves it.
 * @throws UserError for an image without a measurement
 */
export async function encodedStart(
  jobs: readonly Job[],
  { autoencoder, canvas, placed, step, noise }: StartInput,
): Promise<Tensor> {
  const simple: Tensor[] = [];
  for (const job of jobs) {
    if ('size' in job)
      throw new UserError(`${job.name}: nothing was measured that sampling could start from`, {
        hint: 'leave out the start, or restore a measurement',
      });
    simple.push(onCanvas(await reconstruction(job, placed), canvas, placed));
  }
  const latents = await autoencoder.encode(stack(simple));
  const [signal, sigma] = [Math.sqrt(step.alphaBar), Math.sqrt(1 - step.alphaBar)];
  const data = latents.data.map((z, i) => signal * z + sigma * (noise.data[i] as number));
  return tensor(latents.shape, data);
}

/** c Aᵀ y within [-1,1], `[C,H,W]`. */
async function reconstruction(
  { operator, measurement: y }: Measured,
  { image }: Placement,
): Promise<Tensor> {
  const session = await openGraph(adjointGraph(operator, image));
  try {
    const feeds = {
      x: zeros([1, ...image]),
      y: tensor([1, ...y.shape], visible(operator, y).data),
      ...operatorFeeds(operator),
    };
    const found = (await session.run(feeds))['image'] as Tensor;
    return tensor(
      image,
      found.data.map((v) => Math.min(1, Math.max(-1, v))),
    );
  } finally {
    await session.release();
  }
}

/** Grey around an image that is smaller than the canvas. */
function onCanvas(image: Tensor, { height, width }: Size, { top, left }: Placement): Tensor {
  const [c = 0, h = 0, w = 0] = image.shape;
  if (h === height && w === width) return image;
  const canvas = zeros([c, height, width]);
  for (let row = 0; row < c * h; row++) {
    const to = (Math.floor(row / h) * height + top + (row % h)) * width + left;
    canvas.data.set(image.data.subarray(row * w, (row + 1) * w), to);
  }
  return canvas;
}
