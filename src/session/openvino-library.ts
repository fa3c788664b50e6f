/** Where OpenVINO's C library is. */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { UserError } from '../errors.ts';

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly home: string;
}

/** The library's file; Debian puts the version before the suffix, others behind it. */
const names: Partial<Record<NodeJS.Platform, RegExp>> = {
  win32: /^openvino_c\.dll$/i,
  darwin: /^libopenvino_c.*\.dylib$/,
};
const unixName = /^libopenvino_c.*\.so(\.\d+)*$/;

/** Where a wheel, an archive or a package has it below its prefix, in order of preference. */
const places: readonly (readonly (string | RegExp)[])[] = [
  [],
  ['libs'],
  [/^lib(64)?$/i, /^python/, /^(site|dist)-packages$/, 'openvino/libs'],
  [/^lib(64)?$/i, /^(site|dist)-packages$/, 'openvino/libs'],
  ['site-packages/openvino/libs'],
  ['runtime', /^(lib|bin)$/, /./, 'Release'],
  ['runtime', /^(lib|bin)$/, /./],
  [/^lib(64)?$/],
  ['lib', /-linux-gnu/],
  ['Library/bin'],
];

/**
 * The file of the library: what `DSG_OPENVINO` names (the file, or a folder with one of the places
 * above), else the first of
 * - the PyPI wheel of the active environment (`VIRTUAL_ENV`, `CONDA_PREFIX`), of each Python on PATH
 *   and of the user's own packages;
 * - an unpacked archive (`INTEL_OPENVINO_DIR`, `/opt/intel`);
 * - the folders of distributions and Homebrew.
 * Files are looked for; no Python is run.
 * @throws UserError if DSG_OPENVINO is set and nothing is there
 */
export function findOpenVino(around: Surroundings = here()): string | undefined {
  const { environment, platform } = around;
  const name = names[platform] ?? unixName;
  const given = environment['DSG_OPENVINO'];
  if (!given) return first(prefixes(around), (prefix) => libraryUnder(prefix, name));
  const kind = statSync(given, { throwIfNoEntry: false });
  const found = kind?.isFile() ? given : kind && libraryUnder(given, name);
  if (found) return path.resolve(found);
  throw new UserError(`DSG_OPENVINO: no OpenVINO C library (openvino_c) at ${given}`, {
    hint: 'name the file, or a folder that holds it',
  });
}

/** @throws UserError where it is not found */
export function requireOpenVino(): string {
  const found = findOpenVino();
  if (found) return found;
  throw new UserError('device openvino: its C library was not found', {
    hint: 'pip install openvino   (or name the library or its folder in DSG_OPENVINO)',
  });
}

/** Which library it is: most systems have the version in its name, and its size tells where not. */
export function openVinoRecord(): { name: string; bytes: number } {
  const file = realpathSync(requireOpenVino());
  return { name: path.basename(file), bytes: statSync(file).size };
}

function here(): Surroundings {
  return { environment: process.env, platform: process.platform, home: homedir() };
}

function* prefixes({ environment, platform, home }: Surroundings): Generator<string> {
  const set = (name: string): string[] => (environment[name] ? [environment[name]] : []);
  yield* [...set('VIRTUAL_ENV'), ...set('CONDA_PREFIX')];
  const windows = platform === 'win32';
  const folders = set('PATH').flatMap((list) => list.split(windows ? ';' : ':'));
  for (const folder of folders.filter((f) => path.isAbsolute(f))) {
    const python = path.join(folder, windows ? 'python.exe' : 'python3');
    if (!statSync(python, { throwIfNoEntry: false })) continue;
    yield* windows ? [folder, path.dirname(folder)] : [path.dirname(folder)];
    // Of pyenv, PATH has only launchers.
    if (path.basename(folder) === 'shims') yield* below(path.join(folder, '../versions'), /^\d/);
  }
  yield* set('APPDATA').flatMap((data) => below(data, 'Python', /^Python3/));
  yield path.join(home, '.local');
  yield* below(home, 'Library/Python', /^3/);
  yield* set('INTEL_OPENVINO_DIR');
  if (windows) return;
  yield* below('/opt/intel', /^openvino/);
  yield* ['/usr/local', '/usr', '/opt/homebrew'];
}

function libraryUnder(prefix: string, name: RegExp): string | undefined {
  return first(places, (place) => below(prefix, ...place, name)[0]);
}

/** What is there of a path whose parts may be patterns, the highest version first. */
function below(folder: string, ...parts: readonly (string | RegExp)[]): string[] {
  const [part, ...rest] = parts;
  if (part === undefined) return [folder];
  if (typeof part === 'string') return below(path.join(folder, part), ...rest);
  return entriesOf(folder)
    .filter((entry) => part.test(entry))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .flatMap((entry) => below(path.join(folder, entry), ...rest));
}

/** None of a folder that is not there or not ours to see. */
function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function first<A, B>(list: Iterable<A>, find: (item: A) => B | undefined): B | undefined {
  for (const item of list) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
