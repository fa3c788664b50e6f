/** The versions that a result is recorded with. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

function versionIn(file: string | URL): string {
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
  return manifest.version;
}

export const version = versionIn(new URL('../../package.json', import.meta.url));

/** Of dsg, Node.js and ONNX Runtime. */
export function versions(): { dsg: string; node: string; onnxruntime: string } {
  const runtime = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  return { dsg: version, node: process.version, onnxruntime: versionIn(runtime) };
}
