/** Comparisons of colours, which need no network. */
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import type { Comparison } from './compared.ts';
import { rms } from './distances.ts';
import { resample } from './preprocessing.ts';

/**
 * How far the mean colours of a grid's cells are off in the root mean square.
 * @param cells on a side; 1 compares the mean of the image
 */
export function colorGrid(cells: number): Comparison {
  return {
    name: `color-grid-${cells}`,
    describe: (b, images) =>
      images.map((image) => resample(b, image, { height: cells, width: cells }, 'area')),
    distance: (b, [found], [wanted]) => rms(b, found as Value, wanted as Value),
  };
}

/**
 * ‖m − m*‖ + ‖S − S*‖_F of mean and covariance of the colours, wherever in the image they are.
 * What is compared is `[N,C,1+C]`, m in the first column.
 */
export const colorPalette: Comparison = {
  name: 'color-palette',
  describe: (b, images) => images.map((image) => moments(b, image)),
  distance(b, [found], [wanted]) {
    const difference = b.sub(found as Value, wanted as Value);
    const [, c = 1] = difference.shape;
    const parts = b.split(difference, [1, c], 2);
    return parts.map((d) => b.reduce('L2', d, [1, 2], false)).reduce((sum, d) => b.add(sum, d));
  },
};

function moments(b: GraphBuilder, image: Value): Value {
  const [n = 1, c = 3, h = 1, w = 1] = image.shape;
  const pixels = b.reshape(image, [n, c, h * w]);
  const mean = b.reduce('Mean', pixels, [2]);
  const centred = b.scale(b.sub(pixels, mean), 1 / Math.sqrt(h * w));
  const covariance = b.matMul(centred, b.transpose(centred, [0, 2, 1]));
  return b.op('Concat', [mean, covariance], { axis: 2 });
}
