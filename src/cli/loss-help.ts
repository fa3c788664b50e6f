/** `dsg help losses`: every kind of loss, its target, and its options. */
import { lossKinds, type KindRow, type LossKind } from '../pipeline/loss-spec.ts';
import { keysOf } from './loss-options.ts';

const options: readonly (readonly [key: string, about: string])[] = [
  ['layers=A+B', "values of the network's graph, outputs or not; its first output if left out"],
  ['weight=X', 'losses are multiplied by it and added up; 1 if left out'],
  ['distance=NAME', 'how values are compared; the first of those below if left out'],
  ['crop=REGION', 'what of the image counts: LEFT:TOP:WIDTH:HEIGHT in pixels, face, or none'],
  ['size=WxH', "what that is resized to; the network's own size if left out, where it has one"],
  ['resize=NAME', 'area, bilinear or bicubic; the latter two antialiased'],
  ['norm=NAME', "clip, imagenet or none: mean and std; NETWORK.features.json's if there is one"],
  ['range=LO..HI', 'what the network sees before mean and std: -1..1, 0..1 or 0..255'],
  ['mean=R+G+B', 'one number, or one for each channel; std likewise'],
  ['skip=N', 'style: tokens at the front to leave out, such as a class token'],
  ['grid=N', 'color: cells on a side; 8 if left out'],
  ['tokenizer=FOLDER', 'text: tokenizer.json, or vocab.json and merges.txt'],
  ['tower=FILE', 'text: the ONNX network of texts'],
];

const targets = {
  image: "a picture, or .npy of the network's values",
  labels: 'a label map of the size of the images, a grey picture or .npy; 255 does not count',
  text: 'a text, a picture, or the .npy of an embedding',
  color: 'a picture, or #rrggbb',
  values:
    'a picture or .npy for the second input, if the network has one; none beside one that has',
} as const;

/** The whole page. */
export function lossHelp(): string {
  const width = Math.max(...options.map(([key]) => key.length));
  return [
    'Losses bend images towards what they should have. Each is asked for by',
    '',
    '  --loss KIND[:NETWORK.onnx][,OPTION=VALUE...]  --target WHAT',
    '',
    'any number of times; targets go with losses in their order.',
    '',
    'Kinds:',
    ...Object.entries(lossKinds).flatMap(([kind, row]) => describe(kind as LossKind, row)),
    'Options:',
    ...options.map(([key, about]) => `  ${key.padEnd(width)}  ${about}`),
    '',
    'Crop, resize and normalisation are part of the graph that is differentiated.',
    '',
  ].join('\n');
}

function describe(kind: LossKind, row: KindRow): string[] {
  const side = row.side === undefined ? '' : `, size ${row.side}`;
  const { crop, resize, norm, distances } = row;
  const [first, ...others] = distances;
  const other = others.length > 0 ? ` (or ${others.join(', ')})` : '';
  return [
    `  ${kind}: ${row.about}`,
    `    target: ${targets[row.target]}`,
    `    options: ${keysOf[kind].join(', ')}`,
    `    usual: distance ${first}${other}, crop ${crop}${side}, resize ${resize}, norm ${norm}`,
    '',
  ];
}
