/** The forms in which a step's graph has the network: told its condition, or that and none at once. */
import type { Card } from '../card/card.ts';
import { UserError } from '../errors.ts';
import { scaleAt, type ClassifierFree } from '../guidance/classifier-free.ts';
import { classifierFreeGraph, classifierFreePorts } from '../guided/classifier-free.ts';
import type { Graph } from '../onnx/graph.ts';
import { sideBySide } from '../onnx/side-by-side.ts';
import { modelInputs } from '../onnx/skeleton.ts';
import type { Step } from '../schedules/respace.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Size } from './canvas.ts';
import type { Condition, Feeds } from './condition.ts';
import { levelFeed, repeated, stackFeeds, timestepFeed } from './feeds.ts';
import { graphFor, type Model } from './model.ts';
import type { Once } from './once.ts';
import type { Origin } from './prepared.ts';

/** A network over N images, with the names of its x and output. */
export interface Network {
  readonly graph: Graph;
  readonly card: Card;
}

export interface FormsInput {
  readonly model: Model;
  readonly batch: number;
  /** One of the images: the others' conditions have the same names and shapes. */
  readonly like: { readonly condition?: Condition };
  readonly classifierFree?: ClassifierFree | undefined;
}

/** What a step runs, and what that is fed beside x and the noise level. */
export interface Told<S> {
  readonly sessions: S;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Of the input that takes x. */
  readonly input: string;
}

export interface Forms<S> {
  tell(conditions: readonly (Condition | undefined)[]): (step: Step) => Told<S>;
  release(): Promise<void>;
}

/** One of the forms, as its sessions are made of it. */
export interface Form {
  readonly network: () => Promise<Network>;
  readonly origin: Origin;
  /** What its graphs are fed beside x to try them out, at a low noise level. */
  readonly feeds: () => Record<string, Tensor>;
}

/** Noise so low that next to no pixel of x̂₀ is clipped, whatever a network makes of made-up input. */
export const exampleLevel = levelFeed({ alphaBar: 0.9 });

type Sessions = Readonly<Record<string, Once<{ release(): Promise<void> }>>>;

/**
 * @param size that the network runs at
 * @param open the sessions of a form, each made when a step first needs it
 * @throws UserError where classifier-free guidance is asked for, and nothing stands for no condition
 */
export function openForms<S extends Sessions>(
  input: FormsInput,
  size: Size,
  open: (form: Form) => S,
): Forms<S> {
  const { model, batch, like, classifierFree } = input;
  const shapes = shapesOf(input, size);
  const given = like.condition?.given ?? {};
  const middle = Math.floor(model.card.schedule.timesteps / 2);
  const plain = open({
    network: () => conditionalNetwork(input, size),
    origin: { shapes },
    feeds: () => ({
      ...exampleLevel,
      ...timestepFeed(model, batch, middle),
      ...stackFeeds(repeated(given, batch)),
    }),
  });
  const free =
    classifierFree &&
    open({
      network: () => classifierFreeNetwork(input, size),
      origin: { shapes, classifierFree: { rescale: classifierFree.rescale } },
      feeds: () => ({
        ...exampleLevel,
        ...timestepFeed(model, 2 * batch, middle),
        ...stackFeeds([
          ...repeated(given, batch),
          ...repeated(noneOf(model, like.condition), batch),
        ]),
        [classifierFreePorts.scale]: tensor([], Float32Array.of(1)),
      }),
    });
  const scale = classifierFree && scaleAt(classifierFree, model.card.schedule.timesteps);
  return {
    tell(conditions) {
      const given = conditions.map((c) => c?.given ?? {});
      const told = stackFeeds(given);
      const both = free && stackFeeds([...given, ...conditions.map((c) => noneOf(model, c))]);
      return (step) => {
        const w = scale?.(step) ?? 0;
        if (!free || w === 0) {
          const feeds = { ...timestepFeed(model, batch, step.timestep), ...told };
          return { sessions: plain, feeds, input: model.card.inputs.x };
        }
        const fed = { ...timestepFeed(model, 2 * batch, step.timestep), ...both };
        const feeds = { ...fed, [classifierFreePorts.scale]: tensor([], Float32Array.of(w)) };
        return { sessions: free, feeds, input: classifierFreePorts.x };
      };
    },
    async release() {
      for (const form of [plain, free])
        for (const session of Object.values(form ?? {})) await (await session.started())?.release();
    },
  };
}

function shapesOf({ model, batch, like }: FormsInput, size: Size): Origin['shapes'] {
  const told = Object.entries(like.condition?.given ?? {});
  return {
    [model.card.inputs.x]: [batch, model.channels, size.height, size.width],
    ...Object.fromEntries(told.map(([name, { shape }]) => [name, [batch, ...shape]] as const)),
  };
}

/** How many images the model's file takes at once; undefined where it leaves that open. */
export function fixedBatch({ onnx, card }: Model): number | undefined {
  const [most] = modelInputs(onnx).find((i) => i.name === card.inputs.x)?.shape ?? [];
  return typeof most === 'number' ? most : undefined;
}

/** @throws UserError for a batch that the model's file does not take */
export async function conditionalNetwork(
  { model, batch, like }: FormsInput,
  size: Size,
): Promise<Network> {
  const most = fixedBatch(model) ?? batch;
  if (most !== batch) throw otherBatch(model, most, `not of ${batch}`);
  return { graph: await graphFor(model, batch, size, like.condition?.given), card: model.card };
}

/** The network on the images with their conditions, and once more with none: together where it takes as many. */
export async function classifierFreeNetwork(
  { model, batch, like, classifierFree }: FormsInput,
  size: Size,
): Promise<Network> {
  const given = like.condition?.given;
  const most = fixedBatch(model) ?? 2 * batch;
  if (most !== batch && most !== 2 * batch)
    throw otherBatch(
      model,
      most,
      `not of ${batch}, nor of ${2 * batch} with and without condition`,
    );
  const network = await graphFor(model, most, size, given);
  const graph = most === batch ? sideBySide(network, 2, ofEachImage(model, given)) : network;
  return classifierFreeGraph(graph, model.card, classifierFree?.rescale);
}

function otherBatch({ file }: Model, most: number, not: string): UserError {
  const multiple = most === 1 ? '' : ` for a multiple of ${most} images`;
  return new UserError(`${file}: takes batches of ${most} only, ${not}`, {
    hint: `add --batch ${most}${multiple}, or export the model with an open batch axis`,
  });
}

/** The inputs that have one of something for each image. */
function ofEachImage({ card, timestep }: Model, given: Feeds = {}): ReadonlySet<string> {
  const open = typeof timestep.shape[0] === 'string';
  return new Set([card.inputs.x, ...Object.keys(given), ...(open ? [timestep.name] : [])]);
}

/** What the network is told for nothing; inputs that this leaves out are told what is given. */
function noneOf({ file }: Model, condition: Condition | undefined): Feeds {
  if (!condition?.none)
    throw new UserError(`${file}: classifier-free guidance needs a prediction without condition`, {
      hint: 'if a class of the model stands for none, say which: --card classes.null=1000',
    });
  return { ...condition.given, ...condition.none };
}
