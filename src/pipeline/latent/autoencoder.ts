/** Latents to images and back, by the networks of a pipeline. */
import path from 'node:path';
import { UserError } from '../../errors.ts';
import {
  autoencoderPorts,
  decoderGraph,
  encoderGraph,
  type Decoder,
} from '../../guided/decoded.ts';
import type { Graph } from '../../onnx/graph.ts';
import { readModel } from '../../onnx/read.ts';
import { modelInputs } from '../../onnx/skeleton.ts';
import { resolveGraph } from '../../session/resolve.ts';
import { openGraph, type Session, type SessionOptions } from '../../session/session.ts';
import { imageAt, stack } from '../../tensor/batch.ts';
import { tensor, zeros, type Tensor } from '../../tensor/tensor.ts';
import { seenShape, type Size } from '../canvas.ts';
import type { Model } from '../model.ts';
import { cut, paste, windowsOver } from '../windows.ts';

/** Sides of latents beyond which a decoder sees windows: 768 pixels where it enlarges eight times. */
const largestWhole = 96;
/** Sides of these windows, and what neighbours share: a quarter, as diffusers' tiled decoder has it. */
const windowSide = 64;
const overlap = 16;

export interface Autoencoder {
  /**
   * Images `[N,3,H,W]` of latents `[N,C,h,w]`, one after the other; not clipped. Large ones are
   * decoded in overlapping windows: memory is that of one, and the result differs slightly from
   * that of the whole, since a decoder normalizes and attends over all that it sees.
   */
  decode(latents: Tensor): Promise<Tensor>;
  /** Latents of images. @throws UserError for a pipeline without an encoder */
  encode(images: Tensor): Promise<Tensor>;
  release(): Promise<void>;
}

export function openAutoencoder(model: Model, options: SessionOptions = {}): Autoencoder {
  const latent = model.card.latent as NonNullable<Model['card']['latent']>;
  const { factor } = latent;
  // Images of one size are the rule; another size replaces the session.
  const open = new Map<'decoder' | 'encoder', { key: string; session: Session }>();

  async function sessionFor(
    kind: 'decoder' | 'encoder',
    size: Size,
    make: () => Promise<Graph>,
  ): Promise<Session> {
    const key = `${size.height}×${size.width}`;
    const current = open.get(kind);
    if (current?.key === key) return current.session;
    open.delete(kind);
    await current?.session.release();
    // The network waits meanwhile, and keeps its memory.
    const session = await openGraph(await make(), { ...options, frugal: true });
    open.set(kind, { key, session });
    return session;
  }

  async function decodeOne(z: Tensor): Promise<Tensor> {
    const [, , height = 0, width = 0] = z.shape;
    const size = { height, width };
    const session = await sessionFor('decoder', size, async () =>
      decoderGraph(await decoderFor(model, 1, size)),
    );
    return (await session.run({ [autoencoderPorts.latent]: z }))[autoencoderPorts.image] as Tensor;
  }

  async function decodeInWindows(z: Tensor): Promise<Tensor> {
    const [, , height = 0, width = 0] = z.shape;
    const window = { height: Math.min(height, windowSide), width: Math.min(width, windowSide) };
    const scaled = (v: number): number => v * factor;
    const large = { height: scaled(window.height), width: scaled(window.width) };
    const small = windowsOver({ height, width }, { window, overlap });
    const image = zeros([1, 3, scaled(height), scaled(width)]);
    const windows = windowsOver(
      { height: scaled(height), width: scaled(width) },
      { window: large, overlap: scaled(overlap) },
      factor,
    );
    for (const [i, of] of windows.entries())
      paste(image, await decodeOne(cut(z, small[i] ?? of, window)), of, true);
    return image;
  }

  return {
    async decode(latents) {
      const [, , height = 0, width = 0] = latents.shape;
      const whole = Math.max(height, width) <= largestWhole;
      return eachOf(latents, whole ? decodeOne : decodeInWindows);
    },
    async encode(images) {
      const [, , height = 0, width = 0] = images.shape;
      const size = { height, width };
      const session = await sessionFor('encoder', size, async () =>
        encoderGraph(await encoderFor(model, 1, size), { latent, channels: model.channels }),
      );
      return eachOf(images, async (x) => {
        const found = await session.run({ [autoencoderPorts.image]: x });
        return found[autoencoderPorts.latent] as Tensor;
      });
    },
    async release() {
      for (const { session } of open.values()) await session.release();
      open.clear();
    },
  };
}

/** A batch whose members are worked on one at a time, so that memory is that of one. */
async function eachOf(batch: Tensor, work: (one: Tensor) => Promise<Tensor>): Promise<Tensor> {
  const done: Tensor[] = [];
  for (let i = 0; i < (batch.shape[0] ?? 0); i++) {
    const { shape, data } = imageAt(batch, i);
    const { shape: made, data: values } = await work(tensor([1, ...shape], data));
    done.push(tensor(made.slice(1), values));
  }
  return stack(done);
}

/** What losses of a canvas of images need between x̂₀ and them; nothing where x̂₀ are images. */
export async function decoderOf(
  model: Model,
  batch: number,
  canvas: Size,
): Promise<Decoder | undefined> {
  if (!model.card.latent) return undefined;
  const [, height, width] = seenShape(model, canvas);
  return decoderFor(model, batch, { height, width });
}

/** The decoder for latents of a size. */
export async function decoderFor(model: Model, batch: number, size: Size): Promise<Decoder> {
  const { parts, channels, card } = model;
  const graph = await resolved(parts?.decoder ?? '', [batch, channels, size.height, size.width]);
  return { graph, latent: card.latent as Decoder['latent'] };
}

/** The encoder's graph. @param size of the images */
export async function encoderFor(model: Model, batch: number, size: Size): Promise<Graph> {
  const file = model.parts?.encoder;
  if (file === undefined)
    throw new UserError(`${model.file}: there is no vae_encoder/model.onnx, which this needs`, {
      hint: 'export the pipeline again with its encoder: see docs/latent.md',
    });
  return resolved(file, [batch, 3, size.height, size.width]);
}

async function resolved(file: string, shape: readonly number[]): Promise<Graph> {
  const onnx = await readModel(file);
  const [input] = modelInputs(onnx);
  const graph = await resolveGraph(onnx, { shapes: { [input?.name ?? '']: shape } });
  return { ...graph, name: path.join(path.basename(path.dirname(file)), path.basename(file)) };
}
