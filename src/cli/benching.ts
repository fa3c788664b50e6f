/** Degrades, restores and scores in one go. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import { writeAtomic } from '../files/atomic.ts';
import { readBytes } from '../files/read.ts';
import { readImage } from '../image/read.ts';
import { catalogue, type Metric } from '../metrics/catalogue.ts';
import { fid } from '../metrics/fid.ts';
import type { Extractor } from '../pipeline/features.ts';
import { spanOf } from '../pipeline/method.ts';
import { betasOf, type Model } from '../pipeline/model.ts';
import { protocol, type Protocol } from '../pipeline/protocol.ts';
import {
  behindBaseline,
  belowLimits,
  otherSettings,
  refuseIncomparable,
  refuseOtherMetrics,
  subjectsOf,
  type Shortfall,
} from '../report/regression.ts';
import { parseResults, serializeResults, type Cell, type Results } from '../report/results.ts';
import { sameGroup, summarize, type GroupKey } from '../report/summary.ts';
import { toCsv, toMarkdown, toText } from '../report/table.ts';
import { cellTable, groupTable } from '../report/tables.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { benchCommand } from './bench-command.ts';
import { restoreGroup, type Job } from './bench-group.ts';
import { findBenchInputs } from './bench-inputs.ts';
import { measureAll } from './bench-measurements.ts';
import type { BenchValues } from './commands/bench.ts';
import { conditioningOf, showConditioning } from './conditioning.ts';
import type { Io } from './io.ts';
import { printShortfalls, refuseUnmeasured, withoutNetworks } from './limits.ts';
import { averaging } from './method-options.ts';
import { noteModel, openModel, refuseChannels } from './preparing.ts';
import { openReport, type Report } from './report.ts';
import { writeReport } from './reporting.ts';
import { definitionsOf, openNetworks } from './score-networks.ts';
import {
  refuseIdle,
  samplingOptions,
  settingsFor,
  showSettings,
  type SamplingValues,
} from './settings.ts';
import { modelFacts } from './sidecar.ts';
import { versions } from './version.ts';

const usualTolerance = { psnr: 0.1, ssim: 0.005 };

/** @returns the exit code: 1 if something failed, 3 if quality fell short */
export async function benchAll(
  paths: readonly string[],
  values: BenchValues,
  io: Io,
): Promise<number> {
  const { output } = values;
  const ofFiles = '`dsg eval --luma` of the files works it out';
  refuseUnmeasured(
    { '--min': values.min, '--max': values.max, '--tolerance': values.tolerance },
    { ...withoutNetworks(values), psnrY: ofFiles, ssimY: ofFiles },
  );
  const inputs = await findBenchInputs(paths, output);
  if (values.fid !== undefined && inputs.length < 2)
    throw new UserError('--fid compares sets of images, and there is one image', {
      hint: 'leave out --fid, or give more images',
    });
  const before = values.baseline === undefined ? undefined : await readResults(values.baseline);
  const plan = protocol(values.protocol);
  const model = await openModel(values);
  refuseChannels(model, [3]);
  const conditioning = await conditioningOf(values, model);
  const groups = groupsOf(values, plan, model);
  const networks = await openNetworks(values);
  if (before) {
    const compared = Object.keys(values.tolerance ?? usualTolerance) as Metric[];
    const now = { metrics: definitionsOf(compared, networks) };
    refuseOtherMetrics(now, before, compared, values.baseline as string);
  }
  const report = openReport(io, { ...values, json: false, inputs: inputs.length });
  const facts = await modelFacts(model);
  noteModel(model, facts, report);
  for (const warning of conditioning.warnings) report.note(`note: ${warning}`);
  const told = showConditioning(conditioning, model);
  const describe = ({ settings }: Group): string => [...told, showSettings(settings)].join(', ');
  const cells: Cell[] = [];
  const failures: Results['failures'] = [];
  const fail = (what: string, error: UserError): void => {
    failures.push({ what, error: error.message });
    report.failure(what, error);
  };
  try {
    const measured = await measureAll(inputs, { values, plan, model, fail, io });
    if (before) {
      const now = { ...measured, samples: values.samples };
      refuseIncomparable(now, before, values.baseline as string);
      const own = groups.map((group) => ({ ...group, settings: describe(group) }));
      const others = otherSettings(own, before.groups).join('; ');
      if (others)
        report.note(`note: ${values.baseline}: made with ${others}; compared all the same`);
    }
    for (const group of groups) {
      const sources = measured.sources.filter((s) => s.task === group.task);
      const { perceptual } = networks;
      const job: Job = { ...group, sources, model, conditioning, facts, values, perceptual };
      report.note(`${group.task}: ${describe(group)}, ${group.steps} steps`);
      cells.push(...(await restoreGroup(job, { fail, io })));
    }
    const results: Results = {
      schema: 1,
      created: new Date().toISOString(),
      command: benchCommand(paths, values),
      versions: versions(),
      protocol: { name: plan.name, source: plan.source, notes: notesOf(plan, values) },
      model: { ...facts, inferred: [...facts.inferred] },
      seed: values.seed,
      samples: values.samples,
      scored: 'float32 results before rounding to 8 bits; FID on the files',
      metrics: {},
      images: measured.images,
      measurements: measured.measurements,
      groups: [],
      cells,
      failures,
    };
    for (const group of groups) {
      const own = cells.filter((c) => sameGroup(c, group));
      if (own.length === 0) continue;
      const { extractor } = networks;
      const ofSets = extractor ? await setScores(extractor, own, results, output) : {};
      results.groups.push(summarize(group, own, describe(group), ofSets));
    }
    const used = (Object.keys(catalogue) as Metric[]).filter((m) =>
      results.groups.some((g) => m in g.statistics),
    );
    results.metrics = definitionsOf(used, networks);
    await writeAll(results, output);
    await writeReport(
      path.join(output, 'results.json'),
      { output: path.join(output, 'report.html'), images: 12, quiet: true },
      { ...io, stdout: { write: () => undefined } },
    );
    io.stdout.write(values.json ? serializeResults(results) : toText(groupTable(results)));
    const shortfalls = judge(results, before, values);
    printShortfalls(shortfalls, io);
    return finish(report, shortfalls, output);
  } finally {
    await networks.release();
  }
}

interface Group extends GroupKey {
  readonly task: Job['task'];
  readonly method: Job['method'];
  readonly settings: Job['settings'];
}

/**
 * Everything to restore: each task by each method and step count.
 * @throws UserError for options of steps that do not go together
 */
function groupsOf(values: BenchValues, plan: Protocol, model: Model): Group[] {
  const { methods = plan.methods, steps = plan.steps } = values;
  const { seed, sampler, eta, temperature, variance, average } = values;
  refuseAverage(average, methods);
  const timesteps = betasOf(model.card).length;
  const said = { seed, sampler, eta, temperature, variance, average };
  const unset = Object.fromEntries(
    Object.entries(samplingOptions).map(([key, row]) => [
      key,
      'value' in row ? row.value : undefined,
    ]),
  ) as SamplingValues;
  return values.tasks.flatMap((task) =>
    methods.flatMap((method) =>
      steps.map((n) => {
        const sampling = { ...unset, ...said, method, steps: n };
        refuseIdle(sampling, method);
        const settings = settingsFor(task, sampling, model.card);
        // An average may suit the first of several step counts and not the last.
        spanOf(settings.method, n, timesteps);
        return { task, method, steps: n, settings };
      }),
    ),
  );
}

/** @throws UserError for an average with methods that have none: all of them at once */
function refuseAverage(average: number | undefined, methods: readonly Job['method'][]): void {
  const others = methods.filter((method) => !averaging.includes(method));
  if (average === undefined || others.length === 0) return;
  throw new UserError(`--average belongs to pigdm, and the methods include ${others.join(', ')}`, {
    hint: 'leave out --average, or run pigdm by itself: --methods pigdm',
  });
}

/** FID of the files, so that a resumed run gives the same. */
async function setScores(
  extractor: Extractor,
  cells: readonly Cell[],
  { images }: Results,
  output: string,
): Promise<Record<string, number>> {
  const vectors = async (files: readonly string[]): Promise<Tensor[]> => {
    const found: Tensor[] = [];
    for (const file of files)
      found.push(await extractor.vector((await readImage(path.join(output, file))).image));
    return found;
  };
  const clean = images.filter((i) => cells.some((c) => c.image === i.name));
  const [a, b] = [cells.map((c) => c.file), clean.map((i) => i.file)];
  return { fid: fid(await vectors(a), await vectors(b)) };
}

/** A results.json. @throws UserError if it cannot be read */
async function readResults(file: string): Promise<Results> {
  return parseResults((await readBytes(file)).toString('utf8'), file);
}

async function writeAll(results: Results, output: string): Promise<void> {
  const to = (name: string): string => path.join(output, name);
  await writeAtomic(to('results.md'), toMarkdown(groupTable(results)));
  await writeAtomic(to('results.csv'), toCsv(cellTable(results)));
  await writeAtomic(to('results.json'), serializeResults(results));
}

function judge(results: Results, before: Results | undefined, values: BenchValues): Shortfall[] {
  const { min = {}, max = {}, tolerance = usualTolerance } = values;
  const now = subjectsOf(results);
  const behind = before ? behindBaseline(now, subjectsOf(before), tolerance, results.metrics) : [];
  return [...belowLimits(now, { min, max }), ...behind];
}

function finish(report: Report, shortfalls: readonly Shortfall[], output: string): number {
  report.end();
  report.next(`open ${path.join(output, 'report.html')}`);
  if (report.exitCode() !== 0) return report.exitCode();
  return shortfalls.length > 0 ? 3 : 0;
}

function notesOf({ notes }: Protocol, { noise }: BenchValues): string[] {
  return noise === undefined ? [...notes] : [...notes, `noise ${noise} on [-1,1] by --noise`];
}
