/** Pairs of images with the values that scikit-image 0.26.0 gives them. */

import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { ramp } from '../helpers/images.ts';

type Shape = readonly [number, number, number];

/** Deterministic noise in [-1,1]: i = arange(size, int64); (3i² + 7919i) % 1009 / 504.5 - 1. */
function scatter(shape: Shape): Tensor {
  const [channels, height, width] = shape;
  return tensor(
    shape,
    Float32Array.from(
      { length: channels * height * width },
      (_, i) => ((3 * i * i + 7919 * i) % 1009) / 504.5 - 1,
    ),
  );
}

/** 0.75 ramp + 0.25 noise, every operation in float32. */
function noisy(shape: Shape): Tensor {
  const noise = scatter(shape).data;
  return tensor(
    shape,
    ramp(shape).data.map((v, i) => Math.fround(v * 0.75) + Math.fround(noise[i]! * 0.25)),
  );
}

function negative(shape: Shape): Tensor {
  return tensor(
    shape,
    ramp(shape).data.map((v) => -v),
  );
}

// From skimage.metrics, on arrays as float64 mapped to [0,1], a being the ramp:
// structural_similarity(a, b, data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5,
//   use_sample_covariance=False); peak_signal_noise_ratio(a, b, data_range=1)
const values: [Shape, string, (shape: Shape) => Tensor, ssim: number, psnr: number][] = [
  [[3, 16, 20], 'noisy', noisy, 0.8650784501298797, 19.849470808795],
  [[3, 16, 20], 'noise', scatter, -0.02171891522521094, 7.808270954103643],
  [[3, 16, 20], 'negative', negative, -0.7061925285029668, 4.762738505836769],
  [[1, 11, 11], 'noisy', noisy, 0.7932956710654575, 21.747060427431606],
  [[1, 11, 11], 'noise', scatter, 0.07970826756049108, 9.705860565435223],
  [[3, 33, 27], 'noisy', noisy, 0.8266118010594005, 19.7691676606808],
  [[3, 33, 27], 'noise', scatter, 0.008264135386351557, 7.727967837861872],
];

export const goldenPairs = values.map(([shape, kind, make, ssim, psnr]) => ({
  name: `${kind} ${shape.join('x')}`,
  a: ramp(shape),
  b: make(shape),
  ssim,
  psnr,
}));
