/** What a result follows from, as digests: equal digests mean equal bytes. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Degradation } from '../pipeline/degradation.ts';
import { sha256 } from '../files/sha256.ts';
import type { Model } from '../pipeline/model.ts';
import { readRecord, recordPath, valuesHash } from '../pipeline/record.ts';
import type { Replay } from '../pipeline/replay.ts';
import { computing } from './computing.ts';
import type { RestoreValues } from './commands/restore.ts';
import { recordOf, type Conditioning } from './conditioning.ts';
import { sigmaOf, type Plan } from './degradation.ts';
import { stemOf, type Input } from './inputs.ts';
import type { Aims } from './losses.ts';
import { settingsFor } from './settings.ts';
import { digestsOf, describeOperator, type ModelFacts } from './sidecar.ts';
import { versions } from './version.ts';

/** To be raised whenever the same options begin to give other bytes. */
export const revision = 6;

export interface Identity {
  /** Of model, sampling, format, and what computed it. */
  readonly options: string;
  /** Of the file, its name, and how it was or is to be degraded. */
  readonly input: string;
}

export interface Identified {
  readonly identity: Identity;
  /** SHA-256 of the input file. */
  readonly sha256: string;
}

export interface IdentityContext {
  readonly values: RestoreValues;
  readonly model: Model;
  readonly conditioning: Conditioning;
  readonly aims: Pick<Aims, 'record'>;
  readonly facts: ModelFacts;
  readonly plan: Plan | undefined;
  readonly replay: Replay | undefined;
  /** Of the results. */
  readonly format: string;
}

/**
 * The digests for an input. Batch, lanes and shard are not in them: results do not depend on them.
 * @throws UserError if the input or its operator record cannot be read
 */
export function identifier(context: IdentityContext): (input: Input) => Promise<Identified> {
  const { values, model, facts, replay, format } = context;
  const { steps, seed, simulate, fit, trace, samples, tile, tileOverlap } = values;
  const common = {
    revision,
    onnxruntime: versions().onnxruntime,
    ...computing(values),
    model: digestsOf(facts),
    card: model.card,
    steps,
    seed,
    simulate,
    fit,
    format,
    trace,
    ...(simulate && { sigma: sigmaOf(values) }),
    ...recordOf(context.conditioning),
    ...context.aims.record,
    ...(samples > 1 && { samples }),
    ...(values.start && { start: values.start }),
    ...(tile !== undefined && { tile, tileOverlap }),
    ...(replay && { replay: hashOf(replay) }),
  };
  return async (input) => {
    const stem = stemOf(input.file);
    const recorded = !simulate && existsSync(recordPath(stem)) ? await readRecord(stem) : undefined;
    const source = recorded?.degradation ?? (context.plan as Plan);
    const hash = await sha256(input.file);
    const { name } = input;
    const sigma = recorded?.record.noise.sigma ?? values.noise;
    return {
      sha256: hash,
      identity: {
        options: digest({ ...common, ...settingsFor(source.task, values, model.card) }),
        input: digest({ name, sha256: hash, operator: describePlan(source), sigma }),
      },
    };
  };
}

/** Digests of recorded noise. */
export function hashOf({ x_T, noise }: Replay): string[] {
  return [x_T, ...(noise ? [noise] : [])].map(valuesHash);
}

function describePlan(plan: Plan): object {
  const drawn = plan.task === 'inpaint' && typeof plan.mask === 'string';
  return drawn ? plan : describeOperator(plan as Degradation);
}

/** SHA-256 of a value's JSON, in hexadecimal. */
export function digest(value: object): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
