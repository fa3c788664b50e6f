/** What a loss is asked for by: its kind, its network, and what sets it apart from the usual. */
import { colorGrid, colorPalette } from '../losses/color.ts';
import type { Comparison } from '../losses/compared.ts';
import {
  crossEntropy,
  embedding,
  features,
  logitDistance,
  scalar,
  style,
} from '../losses/comparisons.ts';
import type { Preprocessing, Region } from '../losses/preprocessing.ts';

/** `KIND:NETWORK` with its options; an option left out has the kind's default. */
export interface LossSpec {
  readonly kind: LossKind;
  /** An ONNX file; every kind but `color` has one. */
  readonly network?: string;
  /** Names of outputs, or of any values between, of the network; its first output if left out. */
  readonly layers?: readonly string[];
  /** What the loss is multiplied by before losses are added, from 0. 1 if left out. */
  readonly weight?: number;
  readonly distance?: Distance;
  /** The part of the image that counts; `face` is that of an aligned face. */
  readonly crop?: Region | 'face' | 'none';
  /** What the network sees, in pixels; by default its own size, where the file fixes that. */
  readonly size?: { readonly height: number; readonly width: number };
  readonly resize?: Preprocessing['resize'];
  readonly range?: Preprocessing['range'];
  /** Mean and standard deviation by name. */
  readonly norm?: keyof typeof norms;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** style: tokens at the front to leave out, from 0. */
  readonly skip?: number;
  /** color: cells on a side, 1 to 1024. 8 if left out. */
  readonly grid?: number;
  /** text: folder of the tokenizer, and the network of texts. */
  readonly tokenizer?: string;
  readonly tower?: string;
}

export type Distance = 'cosine' | 'l2' | 'spherical' | 'cross-entropy' | 'grid' | 'palette';

export const norms = {
  clip: {
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
    range: '[0,1]',
  },
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], range: '[0,1]' },
  none: { mean: [0], std: [1], range: '[-1,1]' },
} as const;

/** What its target is. */
export type TargetKind = 'image' | 'labels' | 'text' | 'color' | 'values';

export interface KindRow {
  /** Of the network, in the help. */
  readonly about: string;
  readonly target: TargetKind;
  /** The first is the usual one. */
  readonly distances: readonly [Distance, ...Distance[]];
  readonly crop: 'face' | 'none';
  /** Side in pixels where neither file nor options say it; the image's own if left out. */
  readonly side?: number;
  readonly resize: Preprocessing['resize'];
  readonly norm: keyof typeof norms;
  readonly comparison: (spec: LossSpec, distance: Distance) => Comparison;
}

type Direction = Parameters<typeof embedding>[0];

/** The kinds of losses. A new one is a line here, and a case in the tests of losses. */
export const lossKinds = {
  identity: {
    about: "a face's identity, by the embedding of a network such as ArcFace",
    target: 'image',
    distances: ['cosine', 'l2'],
    crop: 'face',
    side: 112,
    resize: 'area',
    norm: 'none',
    comparison: (_, distance) => embedding(distance as Direction),
  },
  features: {
    about: 'the values of layers',
    target: 'image',
    distances: ['l2'],
    crop: 'none',
    resize: 'bicubic',
    norm: 'none',
    comparison: () => features,
  },
  style: {
    about: 'the Gram matrices of layers',
    target: 'image',
    distances: ['l2'],
    crop: 'none',
    resize: 'bicubic',
    norm: 'none',
    comparison: ({ skip }) => style(skip),
  },
  segmentation: {
    about: 'what is where, by a segmentation network',
    target: 'labels',
    distances: ['cross-entropy', 'l2'],
    crop: 'none',
    resize: 'bilinear',
    norm: 'none',
    comparison: (_, distance) => (distance === 'l2' ? logitDistance : crossEntropy),
  },
  text: {
    about: 'what a text says, by the image tower of CLIP or its like',
    target: 'text',
    distances: ['spherical', 'cosine', 'l2'],
    crop: 'none',
    side: 224,
    resize: 'bicubic',
    norm: 'clip',
    comparison: (_, distance) => embedding(distance as Direction),
  },
  color: {
    about: 'the colours, where they are (grid) or wherever they are (palette); no network',
    target: 'color',
    distances: ['grid', 'palette'],
    crop: 'none',
    resize: 'area',
    norm: 'none',
    comparison: ({ grid = 8 }, distance) => (distance === 'grid' ? colorGrid(grid) : colorPalette),
  },
  onnx: {
    about: "the network's own number for the image, or for image and target",
    target: 'values',
    distances: ['l2'],
    crop: 'none',
    resize: 'bicubic',
    norm: 'none',
    comparison: () => scalar,
  },
} as const satisfies Record<string, KindRow>;

export type LossKind = keyof typeof lossKinds;
