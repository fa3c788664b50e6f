/** Scores results against references. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../errors.ts';
import { readImage } from '../image/read.ts';
import { catalogue, type Metric, type Scores } from '../metrics/catalogue.ts';
import { fid } from '../metrics/fid.ts';
import { operatorOf } from '../pipeline/degradation.ts';
import { visible } from '../operators/operator.ts';
import { compare, residual } from '../pipeline/evaluate.ts';
import { readRecord, recordPath, refuseOtherMeasurement } from '../pipeline/record.ts';
import { belowLimits, type Shortfall } from '../report/regression.ts';
import { scoresJson } from '../report/results.ts';
import { mean } from '../report/summary.ts';
import { toCsv, toMarkdown, toText, type Table } from '../report/table.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { EvalValues } from './commands/eval.ts';
import { located, printUserError } from './errors.ts';
import { stemOf } from './inputs.ts';
import type { Io } from './io.ts';
import { printShortfalls, refuseUnmeasured, withoutNetworks } from './limits.ts';
import { findPairs, type Pair } from './pairs.ts';
import { definitionsOf, openNetworks, type Networks } from './score-networks.ts';
import { version } from './version.ts';

interface Scored extends Pair {
  readonly scores: Scores;
}

/** @returns the exit code: 1 if some image could not be scored, 3 if one fell short */
export async function evaluateAll(
  operands: readonly string[],
  values: EvalValues,
  io: Io,
): Promise<number> {
  const [restored = '', reference = ''] = operands;
  const print = printer(values);
  refuseUnmeasured(
    { '--min': values.min, '--max': values.max },
    {
      ...withoutNetworks(values),
      ...(!values.luma && { psnrY: 'add --luma', ssimY: 'add --luma' }),
      secondsPerStep: '`dsg bench` measures it',
    },
  );
  const { pairs, lonely, unused } = await findPairs(restored, reference);
  if (values.fid !== undefined && pairs.length < 2)
    throw new UserError(
      `--fid compares sets of images, and there is ${pairs.length === 1 ? '1 pair' : 'no pair'}`,
      {
        hint: 'leave out --fid, or give folders of more images',
      },
    );
  const networks = await openNetworks(values);
  const failures = lonely.map((name) => ({
    input: name,
    error: `no reference of this name in ${reference}`,
  }));
  for (const { input, error } of failures) io.stderr.write(`error: ${input}: ${error}\n`);
  if (!values.quiet && unused.length > 0)
    io.stderr.write(
      `note: ${unused.length} of ${unused.length + pairs.length} references have no result: ${unused.slice(0, 5).join(', ')}\n`,
    );
  const scored: Scored[] = [];
  const vectors: { restored: Tensor[]; reference: Tensor[] } = { restored: [], reference: [] };
  try {
    for (const pair of pairs) {
      io.signal?.throwIfAborted();
      try {
        const [{ image: x }, { image: clean }] = [
          await readImage(pair.restored),
          await readImage(pair.reference),
        ];
        const stem = recordStem(pair, restored, reference, values.measurements);
        const scores = {
          ...(await compare(x, clean, { ...values, perceptual: networks.perceptual })),
          ...(stem !== undefined && (await residualOf(x, stem))),
        };
        if (networks.extractor) {
          vectors.restored.push(await networks.extractor.vector(x));
          vectors.reference.push(await networks.extractor.vector(clean));
        }
        scored.push({ ...pair, scores });
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        failures.push({ input: pair.restored, error: located(error, pair.restored) });
        printUserError(error, io, pair.restored);
      }
    }
  } finally {
    await networks.release();
  }
  const set = networks.extractor ? { fid: fid(vectors.restored, vectors.reference) } : {};
  const shortfalls = judge(scored, set, values);
  io.stdout.write(print({ scored, set, failures, shortfalls, unused, networks, values }));
  printShortfalls(shortfalls, io);
  if (failures.length > 0) return 1;
  return shortfalls.length > 0 ? 3 : 0;
}

/** Where an image's operator record is, if anywhere: its path without `.operator.json`. */
function recordStem(
  pair: Pair,
  restored: string,
  reference: string,
  measurements: string | undefined,
): string | undefined {
  const beside = [stemOf(pair.restored), stemOf(pair.reference)];
  const stems =
    measurements === undefined ? beside : [path.join(measurements, ...pair.name.split('/'))];
  const found = stems.find((stem) => existsSync(recordPath(stem)));
  if (found === undefined && measurements !== undefined)
    throw new UserError(`${recordPath(stems[0] as string)}: no such record`, {
      hint: `records are written by \`dsg degrade\`; there is none for ${restored} and ${reference}`,
    });
  return found;
}

async function residualOf(x: Tensor, stem: string): Promise<Scores> {
  const { record, degradation } = await readRecord(stem);
  const operator = operatorOf(degradation);
  const file = path.join(path.dirname(stem), record.measurement);
  await refuseOtherMeasurement(file, record, stem);
  const { image } = await readImage(file);
  return residual(x, { operator, y: visible(operator, image), sigma: record.noise.sigma });
}

interface Document {
  readonly scored: readonly Scored[];
  readonly set: Scores;
  readonly failures: readonly object[];
  readonly shortfalls: readonly Shortfall[];
  readonly unused: readonly string[];
  readonly networks: Networks;
  readonly values: EvalValues;
}

function printer({ json, csv, markdown }: EvalValues): (document: Document) => string {
  if ([json, csv, markdown].filter(Boolean).length > 1)
    throw new UserError('--json, --csv and --markdown exclude one another');
  if (json) return (d) => scoresJson(documentOf(d), 2);
  if (csv) return (d) => toCsv(tableOf(d));
  const text = markdown ? toMarkdown : toText;
  return (d) => `${text(tableOf(d))}\n${explain(d, markdown)}`;
}

const scoredOn = 'scores are of the files as they are';

function documentOf(d: Document): object {
  const { scored, failures, shortfalls, unused, values } = d;
  return {
    schema: 1,
    versions: { dsg: version },
    conventions: { border: values.border, scored: scoredOn },
    metrics: definitionsOf(measured(d), d.networks),
    images: scored,
    mean: meansOf(d),
    unused,
    failures,
    shortfalls,
  };
}

function tableOf(d: Document): Table {
  const metrics = measured(d);
  const row = (name: string, scores: Scores) => [name, ...metrics.map((m) => scores[m])];
  return {
    columns: [
      { title: 'image' },
      ...metrics.map((m) => {
        const { label, unit, digits } = catalogue[m];
        return { title: unit ? `${label} ${unit}` : label, digits };
      }),
    ],
    rows: [...d.scored.map((s) => row(s.name, s.scores)), row('mean', meansOf(d))],
  };
}

function explain(d: Document, markdown: boolean): string {
  const { border } = d.values;
  const edge = border > 0 ? `; ${border} pixels left out at every edge` : '';
  const lines = Object.values(definitionsOf(measured(d), d.networks)).map(
    ({ label, definition }) => `${label}: ${definition}`,
  );
  return [`${scoredOn}${edge}`, ...lines].map((l) => `${markdown ? '- ' : ''}${l}\n`).join('');
}

/** Metrics that some image, or the set, has, in the catalogue's order. */
function measured({ scored, set }: Pick<Document, 'scored' | 'set'>): Metric[] {
  const all = [...scored.map((s) => s.scores), set];
  return (Object.keys(catalogue) as Metric[]).filter((m) => all.some((s) => m in s));
}

function meansOf(d: Pick<Document, 'scored' | 'set'>): Scores {
  const means = measured({ scored: d.scored, set: {} }).map((m) => {
    const values = d.scored.map((s) => s.scores[m]).filter((v) => v !== undefined);
    return [m, mean(values)] as const;
  });
  return { ...Object.fromEntries(means), ...d.set };
}

/** Limits hold for every image; those of sets for the set. */
function judge(scored: readonly Scored[], set: Scores, { min, max }: EvalValues): Shortfall[] {
  const ofSet = (limits: Readonly<Record<string, number>> = {}, wanted: boolean) =>
    Object.fromEntries(Object.entries(limits).filter(([m]) => (m === 'fid') === wanted));
  const limits = (wanted: boolean) => ({ min: ofSet(min, wanted), max: ofSet(max, wanted) });
  return [
    ...belowLimits(scored, limits(false)),
    ...belowLimits([{ name: 'all images', scores: set }], limits(true)),
  ];
}
