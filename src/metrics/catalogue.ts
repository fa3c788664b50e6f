/** What every score means; results carry these lines along, so that no number is without them. */

export interface Definition {
  readonly label: string;
  readonly unit: string;
  /** Lowest and highest value; null where there is no bound. */
  readonly range: readonly [number | null, number | null];
  /** `one`: the closer to 1 the better. */
  readonly better: 'higher' | 'lower' | 'one';
  /** Digits behind the point that are worth printing. */
  readonly digits: number;
  readonly definition: string;
}

const clipped = 'images in [-1,1], clipped to it';
const y = 'on Y = 16 + 65.481 R + 128.553 G + 24.966 B of 255 (BT.601, MATLAB), not rounded';

export const catalogue = {
  psnr: {
    label: 'PSNR',
    unit: 'dB',
    range: [0, null],
    better: 'higher',
    digits: 2,
    definition: `10 log10(4 / mean squared difference) over all pixels and channels, data range 2; ${clipped}; null for equal images, where it is infinite; means are of decibels`,
  },
  ssim: {
    label: 'SSIM',
    unit: '',
    range: [-1, 1],
    better: 'higher',
    digits: 4,
    definition: `Wang et al. 2004: Gaussian window 11x11, sigma 1.5, K1 0.01, K2 0.03, population covariance, windows inside the image only, mean of the channels; images in [-1,1], clipped to it and mapped to [0,1], data range 1; absent below 11 pixels a side`,
  },
  psnrY: {
    label: 'PSNR-Y',
    unit: 'dB',
    range: [0, null],
    better: 'higher',
    digits: 2,
    definition: `PSNR ${y}, peak 255`,
  },
  ssimY: {
    label: 'SSIM-Y',
    unit: '',
    range: [-1, 1],
    better: 'higher',
    digits: 4,
    definition: `SSIM ${y}, data range 255`,
  },
  lpips: {
    label: 'LPIPS',
    unit: '',
    range: [0, null],
    better: 'lower',
    digits: 4,
    definition: 'learned perceptual distance',
  },
  fid: {
    label: 'FID',
    unit: '',
    range: [0, null],
    better: 'lower',
    digits: 2,
    definition: 'Fréchet distance of the feature vectors of all results and all references',
  },
  residual: {
    label: '‖y−A(x)‖',
    unit: '',
    range: [0, null],
    better: 'lower',
    digits: 3,
    definition:
      'Euclidean norm of measurement less A(result), images in [-1,1], not clipped; for the true image, the norm of the noise',
  },
  residualRatio: {
    label: 'residual / noise',
    unit: '',
    range: [0, null],
    better: 'one',
    digits: 3,
    definition:
      'the residual divided by sigma sqrt(m), m values being measured: 1 for the true image, less where noise was fitted',
  },
  secondsPerStep: {
    label: 's/step',
    unit: 's',
    range: [0, null],
    better: 'lower',
    digits: 3,
    definition: 'wall-clock seconds a sampling step, all steps but the first',
  },
} as const satisfies Record<string, Definition>;

export type Metric = keyof typeof catalogue;

/** Scores of one image, or of a set. What could not be measured is left out. */
export type Scores = { readonly [M in Metric]?: number };
