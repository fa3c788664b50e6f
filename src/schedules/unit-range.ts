/** The process of a network that was trained on images in [0,1], told in images in [-1,1]. */

/**
 * β of the variance-preserving process in [-1,1] whose noise levels are those of `betas` in [0,1].
 *
 * z_t = √ᾱ z₀ + √(1−ᾱ) ε with z₀ = (x₀+1)/2 gives 2 z_t − √ᾱ = √ᾱ x₀ + 2 √(1−ᾱ) ε: the noise is
 * twice as strong beside the image. Divided by √(4−3ᾱ) it preserves variance, with
 * ᾱ' = ᾱ/(4−3ᾱ); ε stays the same.
 */
export function unitRangeBetas(betas: Float64Array): Float64Array {
  let product = 1;
  let before = 1;
  return betas.map((beta) => {
    product *= 1 - beta;
    const alphaBar = product / (4 - 3 * product);
    const mapped = 1 - alphaBar / before;
    before = alphaBar;
    return mapped;
  });
}
