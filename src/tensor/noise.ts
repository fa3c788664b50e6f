/** Random numbers that depend on seed, image name, stream, step and element only. */

import { createHash } from 'node:crypto';
import { UserError } from '../errors.ts';
import { philox4x32 } from './philox.ts';
import { sizeOf, type Tensor } from './tensor.ts';

/** Independent sequences of one image. A number, once given, is kept: results depend on it. */
const STREAMS = { x_T: 0, step: 1, measurement: 2, mask: 3, sample: 4, travel: 5 } as const;

export type Stream = keyof typeof STREAMS;

/** A 64-bit Philox key. */
export type NoiseKey = readonly [number, number];

/**
 * The key of one image: the first 64 bits of SHA-256 over seed and name.
 * The name is taken in Unicode normal form C, since file systems differ in the form that they keep.
 * @throws UserError for a seed that is no integer from 0, or too large to be exact
 */
export function noiseKey(seed: number, name: string): NoiseKey {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UserError(`seed ${seed}, expected an integer from 0`);
  const digest = createHash('sha256')
    .update(`${seed}\0${name.normalize('NFC')}`)
    .digest();
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}

/**
 * Standard normal float32 values, by Box and Muller in float64.
 * Element i is the same whatever the shape; `step` is an integer in 0..2^32-1, and so is `pass`, which
 * counts how often the step was taken before.
 */
export function gaussian(
  key: NoiseKey,
  stream: Stream,
  step: number,
  shape: readonly number[],
  pass = 0,
): Tensor {
  const data = new Float32Array(sizeOf(shape));
  const words = new Uint32Array(4);
  for (let i = 0; i < data.length; i += 4) {
    philox4x32(i / 4, step, STREAMS[stream], pass, key[0], key[1], words);
    for (let pair = 0; pair < 4; pair += 2) {
      // The half keeps the logarithm's argument above 0.
      const radius = Math.sqrt(-2 * Math.log((words[pair]! + 0.5) / 2 ** 32));
      const angle = (2 * Math.PI * words[pair + 1]!) / 2 ** 32;
      // A typed array ignores what the last block writes past its end.
      data[i + pair] = radius * Math.cos(angle);
      data[i + pair + 1] = radius * Math.sin(angle);
    }
  }
  return { shape, data };
}

/** `n` values uniform in [0,1) with 53 random bits; value i is the same whatever `n`. */
export function uniforms(key: NoiseKey, stream: Stream, step: number, n: number): Float64Array {
  const values = new Float64Array(n);
  const words = new Uint32Array(4);
  for (let i = 0; i < n; i += 2) {
    philox4x32(i / 2, step, STREAMS[stream], 0, key[0], key[1], words);
    values[i] = fraction(words[0]!, words[1]!);
    values[i + 1] = fraction(words[2]!, words[3]!);
  }
  return values;
}

/** 27 and 26 bits make a float64 in [0,1). */
function fraction(high: number, low: number): number {
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
}
