/** From `scheduler_config.json` to the fields of a model card. */
import { z } from 'zod';
import type { CardFile } from '../../card/card.ts';
import { showIssues, UserError } from '../../errors.ts';

const schema = z.looseObject({
  _class_name: z.string().default('DDPMScheduler'),
  num_train_timesteps: z.int().positive().default(1000),
  beta_start: z.number().positive().default(0.0001),
  beta_end: z.number().positive().default(0.02),
  beta_schedule: z.string().default('linear'),
  trained_betas: z.unknown().nullish(),
  prediction_type: z.enum(['epsilon', 'v_prediction', 'sample']).default('epsilon'),
  clip_sample: z.boolean().default(true),
  clip_sample_range: z.number().default(1),
  thresholding: z.boolean().default(false),
  rescale_betas_zero_snr: z.boolean().default(false),
  timestep_spacing: z.enum(['linspace', 'leading', 'trailing']).default('leading'),
  steps_offset: z.int().nonnegative().nullish(),
  set_alpha_to_one: z.boolean().default(true),
});

/** Samplers of the variance-preserving process on discrete timesteps. */
const discrete =
  /^(DDPM|DDIM|DDIMInverse|PNDM|RePaint|DEISMultistep|UniPCMultistep|DPMSolver(Multi|Single)step|EulerDiscrete|EulerAncestralDiscrete|HeunDiscrete|LMSDiscrete)(Parallel)?Scheduler$/;
const schedules = {
  linear: 'linear',
  scaled_linear: 'scaled_linear',
  squaredcos_cap_v2: 'cosine',
} as const;
const predictions = { epsilon: 'epsilon', v_prediction: 'v', sample: 'x0' } as const;

/**
 * Prediction type, schedule and clip.
 * @throws UserError for a process that is not variance-preserving, or betas of another form
 */
export function cardOfScheduler(content: unknown, where: string): CardFile {
  const { _class_name: process, ...c } = parse(content, where);
  const name = schedules[c.beta_schedule as keyof typeof schedules];
  const refused = [
    discrete.test(process) ? '' : `${process} is of another diffusion process`,
    name ? '' : `beta_schedule ${c.beta_schedule}`,
    c.trained_betas ? 'trained_betas' : '',
    c.rescale_betas_zero_snr ? 'rescale_betas_zero_snr' : '',
    c.clip_sample && c.clip_sample_range !== 1 ? `clip_sample_range ${c.clip_sample_range}` : '',
  ].filter(Boolean);
  if (refused.length > 0)
    throw new UserError(`${where}: not supported: ${refused.join(', ')}`, {
      hint: 'networks of the variance-preserving process with a linear, scaled_linear or cosine schedule can be sampled',
    });
  const ends = name === 'cosine' ? {} : { betaStart: c.beta_start, betaEnd: c.beta_end };
  return {
    prediction: predictions[c.prediction_type],
    clip: c.clip_sample || c.thresholding,
    schedule: { name, timesteps: c.num_train_timesteps, ...ends },
  };
}

/**
 * The same for a pipeline of latents, and with it the timesteps and the end that diffusers' DDIM
 * takes from the file. Latents have no range to be clipped to, and networks of Stable Diffusion were
 * trained one timestep off: diffusers' pipeline corrects both, whatever the file says.
 * @throws UserError as `cardOfScheduler`
 */
export function cardOfLatentScheduler(
  content: unknown,
  where: string,
): { card: CardFile & Required<Pick<CardFile, 'schedule'>>; warnings: string[] } {
  const c = parse(content, where);
  const { schedule, ...card } = cardOfScheduler({ ...c, clip_sample: false }, where);
  if (!schedule) throw new Error('cardOfScheduler: no schedule');
  const shifted = c.timestep_spacing === 'leading';
  return {
    card: {
      ...card,
      clip: false,
      schedule: {
        ...schedule,
        spacing: c.timestep_spacing,
        ...(shifted && { offset: 1 }),
        end: c.set_alpha_to_one ? 'clean' : 'first',
      },
    },
    warnings:
      shifted && (c.steps_offset ?? 1) !== 1
        ? [`${where}: steps_offset ${c.steps_offset} is taken as 1, as diffusers' pipeline does`]
        : [],
  };
}

function parse(content: unknown, where: string): z.infer<typeof schema> {
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new UserError(`${where}: not a scheduler's config: ${showIssues(parsed.error, 'config')}`);
}
