// Charts and pictures as WebP files, for documents.
import sharp from 'sharp';
import { encodeImage } from '../dist/index.js';
import { frame, lineChart, marker, size } from '../dist/report/chart.js';

export { frame, lineChart };

export const colours = ['#2f6fb3', '#c4561c', '#3b8a4b', '#8452a0'];

const style = `
  text { font-family: 'DejaVu Sans', sans-serif; font-size: 11px; fill: #333 }
  .title { font-size: 13px; font-weight: bold }
  .grid { stroke: #e3e3e3 }
  .series polyline { fill: none; stroke-width: 1.8 }
  ${colours.map((c, i) => `.m${i} polyline, .m${i} line { stroke: ${c} } .m${i} path { fill: ${c} }`).join('\n')}
`;

/** A chart of report/chart.ts at a place, with a title. */
export function placed(chart, x, y, title) {
  const at = `<svg x="${x}" y="${y + 20}" width="${size.width}" height="${size.height}"`;
  return (
    words(title, x + (frame.left + frame.right) / 2, y + 12, 'title') +
    chart.html.replace('<svg', at)
  );
}

export function words(text, x, y, kind = '', anchor = 'middle') {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${escaped}</text>`;
}

/** What the markers of charts mean, in a row. */
export function legend(names, x, y, gap) {
  return names
    .map((name, i) => {
      const at = x + i * gap;
      return `<g class="m${i}">${marker(i, at, y - 4).html}</g>${words(name, at + 10, y, '', 'start')}`;
    })
    .join('');
}

/** `[height][width]` colours as a picture at a place. */
export async function raster(pixels, width, height, x, y, side) {
  const png = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return `<image x="${x}" y="${y}" width="${side}" height="${side}" href="data:image/png;base64,${png.toString('base64')}"/>`;
}

/** Writes an image `[3,H,W]` in [-1,1]. */
export async function writePicture(file, image) {
  const png = await encodeImage(image, 'png');
  await sharp(png).webp({ quality: 92, smartSubsample: true }).toFile(file);
}

/** Writes an SVG of a size as WebP, twice as fine. */
export async function writePlot(file, width, height, content) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><style>${style}</style><rect width="100%" height="100%" fill="white"/>${content}</svg>`;
  await sharp(Buffer.from(svg), { density: 144 })
    .webp({ quality: 90, smartSubsample: true })
    .toFile(file);
}
