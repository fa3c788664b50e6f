/** From the specification of a loss to what it looks at: network, layers, preprocessing. */
import { UserError } from '../errors.ts';
import type { View } from '../losses/compared.ts';
import type { Preprocessing, Region } from '../losses/preprocessing.ts';
import type { ImageShape } from '../operators/operator.ts';
import type { LoadedNetwork, LossNetworks } from './loss-network.ts';
import { lossKinds, norms, type Distance, type KindRow, type LossSpec } from './loss-spec.ts';

/** A specification whose network has been read, and whose options have been checked. */
export interface LoadedLoss {
  readonly spec: LossSpec;
  readonly row: KindRow;
  readonly distance: Distance;
  readonly network: LoadedNetwork | undefined;
}

/**
 * @throws UserError for a network that is missing or superfluous, an option that does not go with the
 * kind, or a number out of range
 */
export async function loadLoss(spec: LossSpec, networks: LossNetworks): Promise<LoadedLoss> {
  const { kind, network } = spec;
  const row: KindRow = lossKinds[kind];
  const distance = spec.distance ?? row.distances[0];
  if (!row.distances.includes(distance))
    throw new UserError(
      `${kind}: no distance '${distance}'; there are: ${row.distances.join(', ')}`,
    );
  refuseNumbers(spec);
  if (kind === 'color') {
    if (distance === 'palette' && spec.grid !== undefined)
      throw new UserError('color: grid belongs to distance=grid, and the distance is palette', {
        hint: 'leave out grid, or distance: a palette is wherever its colours are',
      });
    if (network !== undefined)
      throw new UserError(`color: it takes no network, got ${network}`, {
        hint: 'a network of your own is onnx:FILE',
      });
    return { spec, row, distance, network: undefined };
  }
  if (network === undefined)
    throw new UserError(`${kind}: a network is needed`, { hint: `--loss ${kind}:NETWORK.onnx` });
  const loaded = await networks.load(network, (outputs) => spec.layers ?? usual(spec, outputs));
  return { spec, row, distance, network: loaded };
}

const integerFrom =
  (least: number, most = Infinity) =>
  (v: number): boolean =>
    Number.isSafeInteger(v) && v >= least && v <= most;

const numbers = [
  ['weight', (v: number) => v >= 0 && v < Infinity, 'a finite number from 0'],
  ['skip', integerFrom(0), 'an integer from 0'],
  // More cells than pixels are of no use, and very many more have no room in memory.
  ['grid', integerFrom(1, 1024), 'an integer from 1 to 1024'],
] as const;

function refuseNumbers(spec: LossSpec): void {
  for (const [option, fits, expected] of numbers) {
    const value = spec[option];
    if (value !== undefined && !fits(value))
      throw new UserError(`${spec.kind}: ${option} is ${value}, expected ${expected}`);
  }
}

/** Of the embeddings that exporters of CLIP name, or else the first output. */
function usual({ kind }: LossSpec, outputs: readonly string[]): string[] {
  const named = kind === 'text' ? outputs.find((o) => o === 'image_embeds') : undefined;
  const first = named ?? outputs[0];
  return first === undefined ? [] : [first];
}

/** What the loss looks at of images of a shape. @throws UserError for a crop outside of them */
export function viewOf(loaded: LoadedLoss, image: ImageShape): View {
  const { spec, row, distance, network } = loaded;
  return {
    preprocessing: preprocessingOf(loaded, image),
    comparison: row.comparison(spec, distance),
    ...(network && { network, layers: network.layers }),
  };
}

function preprocessingOf(
  { spec, row, network }: LoadedLoss,
  [, height, width]: ImageShape,
): Preprocessing {
  const crop = cropOf(spec.crop ?? row.crop, { height, width }, spec.kind);
  const { side } = row;
  const size = spec.size ?? network?.fixed ?? (side ? { height: side, width: side } : undefined);
  // What the options say, else the card, else what is usual for the kind.
  const said = spec.norm ? norms[spec.norm] : (network?.card ?? norms[row.norm]);
  const { range = said.range, mean = said.mean, std = said.std } = spec;
  return {
    ...(crop && { crop }),
    ...(size && { size }),
    resize: spec.resize ?? row.resize,
    range,
    mean,
    std,
  };
}

/**
 * The face in aligned pictures, of 256 pixels a side: rows 35 to 222 and columns 32 to 219, as the
 * published code of FreeDoM and DSG cuts it for ArcFace.
 */
const face = { left: 32, top: 35, width: 188, height: 188 };

function cropOf(
  crop: Region | 'face' | 'none',
  { height, width }: { height: number; width: number },
  kind: string,
): Region | undefined {
  if (crop === 'none') return undefined;
  if (crop === 'face') {
    const [x, y] = [width / 256, height / 256];
    return {
      left: Math.round(face.left * x),
      top: Math.round(face.top * y),
      width: Math.max(1, Math.round(face.width * x)),
      height: Math.max(1, Math.round(face.height * y)),
    };
  }
  const inside =
    Object.values(crop).every(integerFrom(0)) &&
    crop.left + crop.width <= width &&
    crop.top + crop.height <= height &&
    crop.width * crop.height > 0;
  if (!inside)
    throw new UserError(
      `${kind}: crop ${crop.left}:${crop.top}:${crop.width}:${crop.height} is not inside an image of ${width}×${height}`,
      { hint: 'it is LEFT:TOP:WIDTH:HEIGHT in pixels of the image to be made' },
    );
  return crop;
}
