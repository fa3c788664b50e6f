/** What `dsg inspect` prints of a latent pipeline. */
import { emptyProcess } from '../pipeline/estimate.ts';
import type { PipelineEstimate, Stage } from '../pipeline/latent/estimate.ts';
import { showDims } from '../onnx/dims.ts';
import { columns, scaled, showSeconds } from './inspection-page.ts';
import { painter, type Io } from './io.ts';
import type { Part, PipelineInspection } from './pipeline-inspection.ts';

export function pipelinePage(found: PipelineInspection, io: Io): string {
  const paint = painter(io.stdout, io.env);
  const section = (title: string, lines: readonly string[]): string =>
    [paint('bold', title), ...lines.map((line) => `  ${line}`), ''].join('\n');
  const { tokenizer, estimate } = found;
  return [
    section(found.folder, showPipeline(found)),
    ...found.parts.map((part) => section(part.file ?? part.part, showPart(part))),
    section(
      'tokenizer',
      tokenizer ? [`${tokenizer.tokens} tokens, ${tokenizer.context} a prompt`] : ['none'],
    ),
    ...(estimate ? showEstimate(estimate).map(([title, lines]) => section(title, lines)) : []),
  ].join('');
}

function showPipeline({ card, inferred, warnings }: PipelineInspection): string[] {
  const { schedule, latent, prediction } = card;
  const { betaStart, betaEnd, spacing, offset = 0, end } = schedule;
  return [
    `predicts ${prediction} of latents, of which a side is one ${latent?.factor}th of the image's; scaled by ${latent?.scaling}`,
    `${schedule.name} schedule of ${schedule.timesteps} steps, beta ${betaStart} to ${betaEnd}; timesteps ${spacing}, offset ${offset}, to ${end === 'first' ? 'the noise of timestep 0' : 'a clean image'}`,
    `sides of multiples of ${card.multiple}`,
    ...inferred.map((line) => `inferred ${line}`),
    ...warnings.map((line) => `warning: ${line}`),
  ];
}

function showPart({ part, file, opset, inputs = [], parameters, gradient }: Part): string[] {
  if (file === null)
    return [part === 'vae_encoder' ? 'none: no --start encoder, no psld' : 'none: no prompts'];
  const shown = inputs.map((i) => `${i.name} ${i.dtype} ${showDims(i)}`);
  return [
    `opset ${opset ?? 'none'}, ${scaled(parameters?.count ?? 0, '')} parameters, ${scaled(parameters?.bytes ?? 0, 'B')}`,
    `takes ${shown.join(', ')}`,
    ...(gradient ? showGradient(gradient) : []),
  ];
}

function showGradient({ nodes, possible, obstacles }: NonNullable<Part['gradient']>): string[] {
  if (possible) return [`gradient: every node on the path has a rule (${nodes})`];
  const operators = Object.fromEntries(
    obstacles.map(({ operator }) => [
      operator,
      obstacles.filter((o) => o.operator === operator).length,
    ]),
  );
  return [
    `gradient: no, ${obstacles.length} of ${nodes} nodes stand in the way:`,
    ...columns(operators),
  ];
}

function showEstimate({
  size,
  batch,
  plain,
  guided,
  memory,
}: PipelineEstimate): [title: string, lines: string[]][] {
  const at = `${size.width}×${size.height}`;
  const twice = batch === 2 ? ' (with and without the prompt)' : '';
  const total = (bytes: number): string => `memory ${scaled(emptyProcess + bytes, 'B')} in all`;
  return [
    [
      `a step and, in the end, the decoder, estimated at ${at}${twice}`,
      [...plain.map(showStage), total(memory.plain)],
    ],
    [
      `a guided step in stages, estimated at ${at}${twice}`,
      [...guided.map(showStage), total(memory.guided)],
    ],
  ];
}

function showStage({ stage, flops, bytes, seconds }: Stage): string {
  return `${stage}: ${scaled(flops, 'FLOP')}, ${scaled(bytes.values, 'B')} of values, ${scaled(bytes.weights, 'B')} of weights, ${showSeconds(seconds)} on this CPU`;
}
