import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';
import { writePicture } from './harness.ts';

const folder = temporaryFolder();
const root = join(import.meta.dirname, '../..');

it('says plainly that it is not built', () => {
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  copyFileSync(join(root, 'bin/dsg.js'), join(folder, 'bin/dsg.js'));
  const done = spawnSync(process.execPath, [join(folder, 'bin/dsg.js')], { encoding: 'utf8' });
  expect(done).toMatchObject({
    status: 1,
    stdout: '',
    stderr: 'error: dsg is not built\nhint: run `npm run build`\n',
  });
});

it.skipIf(process.platform === 'win32' || !existsSync(join(root, 'dist/cli/main.js'))).each([
  ['results', '1'],
  ['notes', '2'],
])('goes on when whoever reads its %s has seen enough', async (name, stream) => {
  const picture = await writePicture(join(folder, 'a.png'), 16);
  const command = `"${process.execPath}" "${join(root, 'bin/dsg.js')}" degrade "$1" -t sr -o "$2"`;
  // What is written comes too late for a reader that ends at once.
  const line = `(${command} 3>&1 >/dev/null 2>&1 ${stream}>&3 3>&-; echo $? >"$2.code") | true`;
  const out = join(folder, name);
  spawnSync('sh', ['-c', line, 'sh', picture, out]);
  expect(readFileSync(`${out}.code`, 'utf8')).toBe('0\n');
  expect(existsSync(join(out, 'a.operator.json'))).toBe(true);
});

it
  .skipIf(!existsSync('/dev/full') || !existsSync(join(root, 'dist/cli/main.js')))
  .each(['help losses', 'degrade a.png -t sr -o full --json'])(
  'says that standard output cannot be written: %s',
  async (line) => {
    await writePicture(join(folder, 'a.png'), 16);
    const full = openSync('/dev/full', 'w');
    const call = [join(root, 'bin/dsg.js'), ...line.split(' ')];
    const stdio = ['ignore', full, 'pipe'] as const;
    const done = spawnSync(process.execPath, call, {
      cwd: folder,
      stdio: [...stdio],
      encoding: 'utf8',
    });
    closeSync(full);
    const error = 'error: cannot write standard output: no space left on the device\n';
    expect(done).toMatchObject({ status: 1, stderr: expect.stringContaining(error) });
    expect(done.stderr).not.toContain('    at ');
  },
);

it.skipIf(process.platform === 'win32' || !existsSync(join(root, 'dist/cli/main.js')))(
  'ends at once when it is interrupted while it waits for a list',
  async () => {
    const call = [join(root, 'bin/dsg.js'), 'degrade', '-', '-t', 'sr', '-o', join(folder, 'none')];
    const waiting = spawn(process.execPath, call, {
      stdio: ['pipe', 'inherit', 'ignore'],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    });
    // More than a pipe holds: once it is gone, somebody reads.
    waiting.stdin.write('a.png\n'.repeat(200_000), () => waiting.kill('SIGINT'));
    const [code] = await once(waiting, 'close');
    expect(code).toBe(130);
  },
);

it.skipIf(process.platform === 'win32' || !existsSync(join(root, 'dist/cli/main.js')))(
  'says so where the folder that it was started in is gone',
  () => {
    const gone = join(folder, 'gone');
    const line = 'mkdir "$1" && cd "$1" && rmdir "$1" && exec "$2" "$3" degrade a.png -t sr -o out';
    const call = ['-c', line, 'sh', gone, process.execPath, join(root, 'bin/dsg.js')];
    const done = spawnSync('sh', call, { encoding: 'utf8' });
    const error = 'error: the current folder is no longer there\nhint: change to one that is\n';
    expect(done).toMatchObject({ status: 1, stderr: error });
  },
);

it.skipIf(process.platform === 'win32' || !existsSync(join(root, 'dist/cli/main.js')))(
  'is ended by a second signal, of either kind',
  async () => {
    const main = pathToFileURL(join(root, 'dist/cli/main.js')).href;
    const script = `
      import { processIo } from '${main}';
      processIo().signal.addEventListener('abort', () => console.log('asked'));
      console.log('ready');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.on('data', (text: Buffer) => {
      if (String(text).includes('ready')) child.kill('SIGINT');
      if (String(text).includes('asked')) child.kill('SIGTERM');
    });
    const [, signal] = (await once(child, 'close')) as [unknown, string];
    expect(signal).toBe('SIGTERM');
  },
);

/** Prints every package that is imported, from within the loader. */
const spy = `
import { register } from 'node:module';
const hook = \`
import { writeSync } from 'node:fs';
export async function resolve(specifier, context, next) {
  if (/^[@a-z]/.test(specifier) && !/^(node|file|data):/.test(specifier))
    writeSync(2, specifier + '\\\\n');
  return next(specifier, context);
}\`;
register('data:text/javascript,' + encodeURIComponent(hook));
`;

/** The packages that are imported for a command line. */
function packagesOf(args: readonly string[]): string[] {
  const loader = `data:text/javascript,${encodeURIComponent(spy)}`;
  const call = ['--import', loader, join(root, 'bin/dsg.js'), ...args];
  const { stderr } = spawnSync(process.execPath, call, { encoding: 'utf8' });
  return [...new Set(stderr.split('\n').filter((line) => /^[@a-z][^ ]*$/.test(line)))];
}

describe.skipIf(!existsSync(join(root, 'dist/cli/main.js')))('loads', () => {
  it.each(['--version', '--help', 'help losses', 'cache --help'])(
    'nothing but the parser for %s',
    (line) => expect(packagesOf(line.split(' '))).toEqual(['commander']),
  );

  it.each(['restore', 'generate', 'bench', 'inspect'])(
    'neither networks nor images for the help of %s',
    (name) => expect(packagesOf([name, '--help']).sort()).toEqual(['commander', 'zod']),
  );

  it('what a command takes once it runs', () => {
    const packages = packagesOf(['report', join(folder, 'missing.json'), '-o', 'report.html']);
    expect(packages).toEqual(expect.arrayContaining(['sharp', 'zod']));
  });
});
