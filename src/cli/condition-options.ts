/** The options that say what a network is told of the images, and how far to go beyond it. */
import { InvalidArgumentError } from 'commander';
import { classifierOptions } from './classifier-options.ts';
import { choice, option, real, text, type Kind, type Values } from './options.ts';

const noiseLevels: Kind<readonly [number, number]> = {
  range: 'two noise levels √((1−ᾱ)/ᾱ), the lower one first',
  parse(given) {
    const [low = NaN, high = NaN, ...rest] = given
      .split(',')
      .map((part) => (part.trim() === '' ? NaN : Number(part)));
    if (!(low >= 0 && low < high) || rest.length > 0)
      throw new InvalidArgumentError('Expected LO,HI with 0 <= LO < HI, as in 0.28,2.9.');
    return [low, high];
  },
};

/** What goes with prompts: others count it as 7.5. */
export const usualScale = 6.5;

export const conditionOptions = {
  class: option(
    '--class <c>',
    'Simple',
    "class of the images: a number from 0, or a name of the card's classes.names",
    text,
    'none',
  ),
  prompt: option(
    '--prompt <text>',
    'Simple',
    'what the images show, for a model that is told texts',
    text,
    'nothing in particular',
  ),
  negative: option(
    '--negative <text>',
    'Simple',
    'what they do not show: classifier-free guidance goes away from it',
    text,
    'nothing in particular',
  ),
  cfgScale: option(
    '--cfg-scale <w>',
    'Sampling',
    'classifier-free guidance: w of (1+w) ε(x,c) − w ε(x,∅); 0 is the condition alone',
    real(-1),
    `0; ${usualScale} with --prompt`,
  ),
  guidanceScale: option(
    '--guidance-scale <s>',
    'Sampling',
    'the same as other programs count it: s = 1+w; 1 is the condition alone',
    real(0),
    `1; ${usualScale + 1} with --prompt`,
  ),
  cfgSchedule: option(
    '--cfg-schedule <name>',
    'Sampling',
    'w over the steps: linear and cosine rise from 0 to 2w',
    choice(['constant', 'linear', 'cosine']),
    'constant',
  ),
  cfgInterval: option(
    '--cfg-interval <lo,hi>',
    'Sampling',
    'apply w at noise levels from low to high only',
    noiseLevels,
    'all',
  ),
  cfgRescale: option(
    '--cfg-rescale <phi>',
    'Sampling',
    "how far to restore the prediction's standard deviation, which w enlarges",
    real(0, 1),
    '0',
  ),
  ...classifierOptions,
} as const;

export type ConditionValues = Values<typeof conditionOptions>;
