/** The list of degradations. A new one is a file of its own and a line here. */
import { gaussianBlur, kernelBlur } from './blur.ts';
import { inpainting } from './inpainting.ts';
import { superResolution } from './superresolution.ts';

export const operators = {
  inpainting,
  superResolution,
  gaussianBlur,
  kernelBlur,
} as const;
