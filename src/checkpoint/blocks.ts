/** The blocks that guided-diffusion and diffusers networks have in common. */
import type { Value } from '../onnx/graph.ts';
import {
  conv,
  doubled,
  groupNorm,
  halved,
  linear,
  reshapeRest,
  scoped,
  silu,
  type Net,
  type Norm,
} from './layers.ts';

/** How a family calls the parts of a residual block. */
export interface ResidualNames {
  readonly norm1: string;
  readonly conv1: string;
  readonly embedding: string;
  readonly norm2: string;
  readonly conv2: string;
  readonly shortcut: string;
}

export interface Residual {
  readonly module: string;
  readonly names: ResidualNames;
  readonly channels: number;
  readonly norm: Norm;
  /** The noise level scales and shifts the second normalization, or is added before it. */
  readonly scaleShift: boolean;
  readonly resample?: 'up' | 'down' | undefined;
  /** The sum of both branches is divided by this. */
  readonly outputScale?: number;
}

/**
 * BigGAN's residual block as Dhariwal & Nichol (2021) use it, resampling within where asked.
 * @param x `[N,C,H,W]`; @param embedding of the noise level, after its SiLU, `[N,E]`
 */
export function residualBlock(net: Net, x: Value, embedding: Value, block: Residual): Value {
  const { b } = net;
  const { module, names, channels, norm, resample, outputScale = 1 } = block;
  const at = (part: string): string => `${module}.${part}`;
  const resampled = (v: Value): Value => {
    if (!resample) return v;
    return resample === 'up' ? doubled(net, module, v) : halved(net, module, v);
  };
  const active = silu(net, at(names.norm1), groupNorm(net, at(names.norm1), x, norm));
  let h = conv(net, at(names.conv1), resampled(active), channels);
  if (block.scaleShift) {
    const both = linear(net, at(names.embedding), embedding, 2 * channels);
    const [scale, shift] = b.split(both, [channels, channels], 1) as [Value, Value];
    h = groupNorm(net, at(names.norm2), h, norm, { scale, shift });
  } else {
    const shift = linear(net, at(names.embedding), embedding, channels);
    h = scoped(net, at(names.embedding), () => b.add(h, reshapeRest(net, shift, [channels, 1, 1])));
    h = groupNorm(net, at(names.norm2), h, norm);
  }
  h = conv(net, at(names.conv2), silu(net, at(names.norm2), h), channels);
  const straight = resampled(x);
  const skip =
    x.shape[1] === channels
      ? straight
      : conv(net, at(names.shortcut), straight, channels, { kernel: 1 });
  return scoped(net, module, () => b.scale(b.add(skip, h), 1 / outputScale));
}

export interface Sinusoid {
  readonly width: number;
  /** Cosines before sines. */
  readonly cosineFirst: boolean;
  /** Taken off the number of frequencies where they are spaced. */
  readonly shift: number;
}

/** The longest period that tells noise levels apart, in timesteps. */
const longestPeriod = 10000;

/**
 * Sines and cosines of the timestep (Vaswani et al. 2017), `[N]` to `[N,width]`. Frequencies are
 * worked out in float32, step by step, as PyTorch does: at t = 1000 the difference can be seen.
 */
export function sinusoids(net: Net, t: Value, { width, cosineFirst, shift }: Sinusoid): Value {
  const { b } = net;
  const half = Math.floor(width / 2);
  const rate = Math.fround(-Math.log(longestPeriod));
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    Math.exp(Math.fround(Math.fround(rate * i) / Math.fround(half - shift))),
  );
  return scoped(net, 'timestep', () => {
    const column = b.op('Reshape', [t, b.ints([-1, 1])]);
    const phase = b.mul(column, b.constant(frequencies, 'float32', [1, half]));
    const [sines, cosines] = [b.op('Sin', [phase]), b.op('Cos', [phase])];
    const both = b.op('Concat', cosineFirst ? [cosines, sines] : [sines, cosines], { axis: 1 });
    return width % 2 === 0 ? both : b.op('Pad', [both, b.ints([0, 0, 0, 1])]);
  });
}
