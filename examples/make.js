// Draws scene.png from scene.svg: node examples/make.js
import sharp from 'sharp';

const here = new URL('.', import.meta.url).pathname;
await sharp(`${here}scene.svg`)
  .removeAlpha()
  .png({ compressionLevel: 9 })
  .toFile(`${here}scene.png`);
