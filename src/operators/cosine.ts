/** The cosine basis, in which what filters mirrored signals is diagonal, or nearly. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { separable } from '../onnx/separable.ts';
import type { Matrix } from '../tensor/filter.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Spectrum } from './operator.ts';

/**
 * The `[n,n]` orthonormal matrix of the cosine transform (DCT-II): row u is the wave of frequency
 * πu/n. A symmetric filter of a signal that is mirrored with its edge repeated is diagonal there
 * (Strang, The Discrete Cosine Transform, SIAM Review 1999).
 */
export function cosineMatrix(n: number): Matrix {
  const data = new Float64Array(n * n);
  for (let u = 0; u < n; u++) {
    const scale = Math.sqrt((u === 0 ? 1 : 2) / n);
    for (let i = 0; i < n; i++)
      data[u * n + i] = scale * Math.cos((Math.PI * u * (2 * i + 1)) / (2 * n));
  }
  return { rows: n, columns: n, data };
}

/** The spectrum of y = V x Hᵀ. What lies beside the diagonal at the borders is left out. */
export function separableSpectrum(
  b: GraphBuilder,
  residual: Value,
  vertical: Matrix,
  horizontal: Matrix,
): Spectrum {
  const [ofRows, ofColumns] = [gains(vertical), gains(horizontal)];
  return cosineSpectrum(b, residual, (u, v) => ofRows[u]! * ofColumns[v]!);
}

/**
 * The spectrum of a correlation with a kernel `[k_h,k_w]`: |k̂|² of the waves (ω,ν) and (ω,−ν), which
 * a cosine is made of, on average. It leaves out what a skewed kernel mixes, and the borders.
 */
export function kernelSpectrum(b: GraphBuilder, residual: Value, kernel: Tensor): Spectrum {
  const [, , h = 0, w = 0] = residual.shape;
  const power = meanPower(kernel, h, w);
  return cosineSpectrum(b, residual, (u, v) => power[u * w + v]!);
}

function cosineSpectrum(
  b: GraphBuilder,
  residual: Value,
  power: (u: number, v: number) => number,
): Spectrum {
  const [, , h = 0, w = 0] = residual.shape;
  const data = new Float32Array(h * w);
  for (let u = 0; u < h; u++) for (let v = 0; v < w; v++) data[u * w + v] = power(u, v);
  return {
    coordinates: separable(b, residual, cosineMatrix(h), cosineMatrix(w)),
    power: b.constant(data, 'float32', [1, 1, h, w]),
  };
}

/** ‖Mᵀ c‖² of each cosine c: the diagonal of M Mᵀ. */
function gains({ rows, columns, data }: Matrix): Float64Array {
  const cosines = cosineMatrix(rows);
  const out = new Float64Array(rows);
  // Filters are short: most of a row is zero.
  const taps = Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (__, j) => j).filter((j) => data[i * columns + j] !== 0),
  );
  const image = new Float64Array(columns);
  for (let u = 0; u < rows; u++) {
    image.fill(0);
    for (let i = 0; i < rows; i++) {
      const c = cosines.data[u * rows + i]!;
      for (const j of taps[i]!) image[j]! += c * data[i * columns + j]!;
    }
    out[u] = image.reduce((sum, value) => sum + value * value, 0);
  }
  return out;
}

/** ½ (|k̂(ω,ν)|² + |k̂(ω,−ν)|²) at ω = πu/h, ν = πv/w, in which products of cosine and sine cancel. */
function meanPower({ shape, data }: Tensor, h: number, w: number): Float64Array {
  const [kh = 1, kw = 1] = shape;
  const out = new Float64Array(h * w);
  const across = waves(w, kw);
  for (const down of waves(h, kh))
    for (let u = 0; u < h; u++) {
      const row = new Float64Array(kw);
      for (let y = 0; y < kh; y++)
        for (let x = 0; x < kw; x++) row[x]! += down[u * kh + y]! * data[y * kw + x]!;
      for (const along of across)
        for (let v = 0; v < w; v++) {
          let sum = 0;
          for (let x = 0; x < kw; x++) sum += along[v * kw + x]! * row[x]!;
          out[u * w + v]! += sum * sum;
        }
    }
  return out;
}

/** Cosines and sines of πui/n for every u below n, at the first `taps` pixels i. */
function waves(n: number, taps: number): Float64Array[] {
  return [Math.cos, Math.sin].map((wave) =>
    Float64Array.from({ length: n * taps }, (_, k) =>
      wave((Math.PI * Math.floor(k / taps) * (k % taps)) / n),
    ),
  );
}
