/** Several images as one picture. */

import { zeros, type Tensor } from '../tensor/tensor.ts';

/** White. */
const BACKGROUND = 1;

/**
 * Rows of images [3,H,W] as one image on white, `gap` pixels apart and around.
 * A row is as high as its highest image, a column as wide as its widest; smaller ones are centred.
 */
export function grid(images: readonly (readonly Tensor[])[], gap: number): Tensor {
  const heights = images.map((row) => Math.max(0, ...row.map(({ shape }) => shape[1] ?? 0)));
  const columns = Math.max(0, ...images.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(0, ...images.map((row) => row[i]?.shape[2] ?? 0)),
  );
  const total = (sizes: number[]) => sizes.reduce((sum, size) => sum + size + gap, gap);
  const picture = zeros([3, total(heights), total(widths)]);
  picture.data.fill(BACKGROUND);
  let top = gap;
  images.forEach((row, i) => {
    let left = gap;
    row.forEach((image, j) => {
      const [, height = 0, width = 0] = image.shape;
      const y = top + Math.floor((heights[i]! - height) / 2);
      paste(picture, image, y, left + Math.floor((widths[j]! - width) / 2));
      left += widths[j]! + gap;
    });
    top += heights[i]! + gap;
  });
  return picture;
}

function paste(picture: Tensor, image: Tensor, top: number, left: number): void {
  const [, pictureHeight = 0, pictureWidth = 0] = picture.shape;
  const [channels = 0, height = 0, width = 0] = image.shape;
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++) {
      const line = (c * height + y) * width;
      const at = (c * pictureHeight + top + y) * pictureWidth + left;
      picture.data.set(image.data.subarray(line, line + width), at);
    }
}
