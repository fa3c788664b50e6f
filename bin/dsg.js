#!/usr/bin/env node
/** Starts the built command line. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(fileURLToPath(main))) {
  const { processIo, run } = await import(main.href);
  process.exitCode = await run(process.argv.slice(2), processIo());
} else {
  process.stderr.write('error: dsg is not built\nhint: run `npm run build`\n');
  process.exitCode = 1;
}
