/** Float16 and float32, for as many values as weights are. */
import { Float16Array } from '@petamoriken/float16';

/** The bits of values rounded to float16. */
export function halfBits(values: Float32Array): Uint16Array {
  // The constructor: `from` goes through an iterator, and takes several times as long.
  return new Uint16Array(new Float16Array(values).buffer);
}

let table: Float32Array | undefined;

/** The values of float16 bits, by table: 65,536 entries beat a decoder when weights are millions. */
export function halfValues(bits: Uint16Array): Float32Array {
  table ??= new Float32Array(
    new Float16Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer),
  );
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i] as number] as number;
  return out;
}
