/** The options that say how an image was, or is to be, degraded. */
import { usualSigma } from '../guided/measured.ts';
import { FIT_MODES } from '../image/fit.ts';
import { tasks } from '../pipeline/tasks.ts';
import { choice, integer, option, positive, real, text, type Values } from './options.ts';

/** Where options are silent. */
export const usualDegradation = {
  mask: 'random',
  scale: 4,
  size: 61,
  std: 3,
  sigma: usualSigma,
} as const;

export const degradationOptions = {
  task: option(
    '-t, --task <task>',
    'Simple',
    'the degradation',
    choice(tasks),
    'that of the operator record beside the input',
  ),
  mask: option(
    '--mask <file>',
    'Simple',
    'inpaint: image or .npy whose values of at least half of white are kept, black and ' +
      'transparent pixels being hidden; or random, box',
    text,
    `${usualDegradation.mask} to simulate`,
  ),
  scale: option(
    '--scale <k>',
    'Simple',
    'sr: factor of each side',
    integer(2),
    `${usualDegradation.scale}`,
  ),
  kernelSize: option(
    '--kernel-size <pixels>',
    'Simple',
    'deblur: window of the Gaussian, odd',
    integer(1),
    `${usualDegradation.size}`,
  ),
  kernelStd: option(
    '--kernel-std <pixels>',
    'Simple',
    'deblur: standard deviation of the Gaussian',
    positive,
    `${usualDegradation.std}`,
  ),
  kernel: option(
    '--kernel <file>',
    'Simple',
    'deblur: any kernel, .npy [h,w] as it is or an image scaled to sum 1',
    text,
    'the Gaussian',
  ),
  noise: option(
    '--noise <sigma>',
    'Simple',
    'standard deviation of the noise, simulated or in the measurements, on images in [-1,1]',
    real(0),
    `${usualDegradation.sigma}`,
  ),
  fit: option(
    '--fit <how>',
    'Simple',
    'bring images to the size that the model takes, or the scale divides; pad lets the model ' +
      'see a margin around a smaller image, which keeps its size',
    choice(FIT_MODES),
    'other sizes are an error',
  ),
} as const;

export type DegradationValues = Values<typeof degradationOptions>;
