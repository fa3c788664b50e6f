/** What a network is told of the images, and how far to go beyond it: settings and records. */
import path from 'node:path';
import { UserError } from '../errors.ts';
import type { ClassifierFree } from '../guidance/classifier-free.ts';
import { classCondition, classNumber, type Condition } from '../pipeline/condition.ts';
import { promptCondition, type Prompt } from '../pipeline/latent/prompt.ts';
import type { Model } from '../pipeline/model.ts';
import { classifierOf, type Guide } from './classifier.ts';
import { usualScale, type ConditionValues } from './condition-options.ts';

export interface Conditioning {
  readonly label: number | undefined;
  readonly prompt: Prompt | undefined;
  readonly condition: Condition;
  readonly classifierFree: ClassifierFree | undefined;
  readonly guide: Guide | undefined;
  readonly warnings: readonly string[];
}

/**
 * Prompts are embedded here, once for all images.
 * @throws UserError for a class that the model does not have, or options that need others
 */
export async function conditioningOf(values: ConditionValues, model: Model): Promise<Conditioning> {
  const { prompt, negative } = values;
  if (!model.card.text) {
    const idle = prompt === undefined ? negative && '--negative' : '--prompt';
    if (!idle) return classConditioning(values, model);
    throw new UserError(`${model.file}: the model is told no texts, and there is ${idle}`, {
      hint: 'give --model the folder of a text-to-image pipeline, or leave it out',
    });
  }
  const label = values.class === undefined ? undefined : classNumber(model, values.class);
  const guide = await classifierOf(values, label);
  if (label !== undefined && !guide)
    throw new UserError(`${model.file}: the model is told texts, not classes`, {
      hint: 'give --prompt instead of --class',
    });
  const given = classifierFreeOf(values);
  const usual = prompt === undefined ? undefined : { scale: usualScale };
  const classifierFree = given ?? usual;
  if (negative !== undefined && !classifierFree)
    throw new UserError(
      '--negative is what classifier-free guidance goes away from, and it is off',
      {
        hint: 'add --prompt or --cfg-scale, or leave out --negative',
      },
    );
  const told = { prompt: prompt ?? '', ...(negative !== undefined && { negative }) };
  const { condition, warnings } = await promptCondition(model, told);
  return { label, prompt: told, condition, classifierFree, guide, warnings };
}

async function classConditioning(values: ConditionValues, model: Model): Promise<Conditioning> {
  const label = values.class === undefined ? undefined : classNumber(model, values.class);
  const guide = await classifierOf(values, label);
  // A model without classes leaves them to the classifier.
  const told = guide && !model.card.classes ? undefined : label;
  const condition = classCondition(model, told);
  const classifierFree = classifierFreeOf(values);
  if (classifierFree && told === undefined)
    throw new UserError('classifier-free guidance goes beyond a condition, and there is none', {
      hint: 'add --class, or leave out --cfg-scale and --guidance-scale',
    });
  if (classifierFree && !condition.none)
    throw new UserError(
      `${model.file}: classifier-free guidance needs a class that stands for none, and the card names no such class`,
      { hint: 'if the model was trained with one, say which: --card classes.null=1000' },
    );
  return { label, prompt: undefined, condition, classifierFree, guide, warnings: [] };
}

function classifierFreeOf(values: ConditionValues): ClassifierFree | undefined {
  const { cfgScale, guidanceScale, cfgSchedule, cfgInterval, cfgRescale } = values;
  if (cfgScale !== undefined && guidanceScale !== undefined)
    throw new UserError('--cfg-scale w and --guidance-scale s are the same, s = 1+w', {
      hint: 'leave out one of them',
    });
  const scale = cfgScale ?? (guidanceScale === undefined ? undefined : guidanceScale - 1);
  if (scale !== undefined)
    return {
      scale,
      ...(cfgSchedule && { schedule: cfgSchedule }),
      ...(cfgInterval && { interval: cfgInterval }),
      ...(cfgRescale !== undefined && { rescale: cfgRescale }),
    };
  const idle = Object.entries({
    '--cfg-schedule': cfgSchedule,
    '--cfg-interval': cfgInterval,
    '--cfg-rescale': cfgRescale,
  }).find(([, value]) => value !== undefined);
  if (!idle) return undefined;
  throw new UserError(`${idle[0]} belongs to classifier-free guidance, which is off`, {
    hint: `add --cfg-scale, or leave out ${idle[0]}`,
  });
}

/** What sidecars and digests have of it; nothing where nothing was said. */
export function recordOf({ label, prompt, classifierFree, guide }: Conditioning): object {
  return {
    ...(label !== undefined && { class: label }),
    ...prompt,
    ...(classifierFree && { classifierFree }),
    ...(guide && { classifier: guide.record }),
  };
}

/** As in `class 207 (golden retriever)`, `cfg scale 2 schedule linear`; empty where nothing was said. */
export function showConditioning(
  { label, prompt, classifierFree, guide }: Conditioning,
  model: Model,
): string[] {
  const { names } = model.card.classes ?? {};
  const free = Object.entries(classifierFree ?? {}).map(([key, value]) => `${key} ${value}`);
  const { classifier, scale } = guide?.guidance ?? {};
  const away = prompt?.negative ? `, not '${prompt.negative}'` : '';
  return [
    ...(label === undefined ? [] : [`class ${label}${names ? ` (${names[label]})` : ''}`]),
    ...(prompt ? [`'${prompt.prompt}'${away}`] : []),
    ...(free.length > 0 ? [`cfg ${free.join(' ')}`] : []),
    ...(classifier ? [`classifier ${path.basename(classifier.file)} scale ${scale}`] : []),
  ];
}
