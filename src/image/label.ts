/** Words as pictures. */
import type { Tensor } from '../tensor/tensor.ts';
import { decodeImage } from './read.ts';

const lineHeight = 15;
/** What XML 1.0 has no place for, escaped or not. */
const unwritable = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

/**
 * Lines of text, centred, black on white; blank where the machine has no fonts.
 * @returns an image `[3,15·lines,width]` in [-1,1]
 */
export async function label(lines: readonly string[], width: number): Promise<Tensor> {
  const texts = lines.map((line, i) => {
    const text = line
      .replace(unwritable, '\uFFFD')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;');
    return `<text x="${width / 2}" y="${lineHeight * (i + 0.8)}">${text}</text>`;
  });
  const height = lineHeight * lines.length;
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    '<rect width="100%" height="100%" fill="white"/>' +
    `<g font-family="sans-serif" font-size="12" text-anchor="middle">${texts.join('')}</g></svg>`;
  return (await decodeImage(Buffer.from(svg), 'label')).image;
}
