// Draws scene.png from scene.svg: node examples/make.js
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const at = (name) => fileURLToPath(new URL(name, import.meta.url));
await sharp(at('scene.svg')).removeAlpha().png({ compressionLevel: 9 }).toFile(at('scene.png'));
