/** Writes a new image: image first, sidecar last, so that a sidecar means a whole result. */
import type { Wanted } from '../pipeline/job.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { writeResult, type Destination } from './destination.ts';
import type { Identity } from './identity.ts';
import { resultOf, type Kept } from './kept.ts';
import { writeSidecar } from './replaced.ts';
import type { Places } from './replacing.ts';
import type { Report } from './report.ts';
import { lineOf } from './restored.ts';
import type { Sampled } from './sampling.ts';
import type { ModelRecord } from './sidecar.ts';
import { writeTrace } from './trace.ts';
import { versions } from './version.ts';

/** @throws UserError if a file cannot be written; there is no sidecar then */
export async function writeGenerated(
  { job, image, frames, loss, timing }: Sampled<Wanted>,
  about: {
    readonly destination: Destination;
    readonly model: ModelRecord;
    /** The effective ones. */
    readonly options: object;
    readonly identity: Identity;
    readonly read: Places;
    readonly report: Report;
  },
): Promise<void> {
  const { destination, model, options, identity, read, report } = about;
  const { name, size } = job;
  const { format } = destination;
  const file = destination.result(name);
  await destination.makeFolder(name);
  await writeResult(file, format === 'npy' ? image : inColour(image), format);
  const shown = frames.map(({ index, x0 }) => ({ index, x0: inColour(x0) }));
  const others = shown.length > 0 ? await writeTrace(destination.stem(name), shown) : [];
  const document: Kept = {
    schema: 1,
    versions: versions(),
    date: new Date().toISOString(),
    input: { name },
    image: size,
    result: await resultOf(file, others),
    identity,
    model,
    options,
    ...(loss !== undefined && { loss }),
    timing,
  };
  const files = await writeSidecar(destination.stem(name), document, { ...destination, read });
  report.result(lineOf(file, document), { ...document, files }, name);
}

/** Grey images have their one channel three times. */
function inColour(image: Tensor): Tensor {
  const [channels, height = 0, width = 0] = image.shape;
  if (channels !== 1) return image;
  const data = new Float32Array(3 * image.data.length);
  for (let c = 0; c < 3; c++) data.set(image.data, c * image.data.length);
  return tensor([3, height, width], data);
}
