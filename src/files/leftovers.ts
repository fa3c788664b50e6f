/** Temporary files and folders of runs that were killed: how they are told from those of living ones. */
import { createHash, randomUUID } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

const pattern = /^\.dsg-([0-9a-f]{8})-(\d+)-[0-9a-f-]{36}\.tmp$/;
/** No write takes this long: what is older and from elsewhere has nobody to finish it. */
const abandonedMs = 3_600_000;

/** Where process numbers mean the same: a machine, or a container on it. */
const origin = createHash('sha256')
  .update(hostname() + processNamespace())
  .digest('hex')
  .slice(0, 8);

/** A name for a file or folder that is yet to be finished by this process. */
export function temporaryName(): string {
  return `.dsg-${origin}-${process.pid}-${randomUUID()}.tmp`;
}

/** Removes what killed runs left in a folder; files of living processes stay. */
export async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const [, host, pid] = pattern.exec(name) ?? [];
    if (host === undefined) continue;
    const file = join(folder, name);
    const abandoned = host === origin ? !isAlive(Number(pid)) : await isOld(file);
    // Another run may have been faster.
    if (abandoned) await rm(file, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isOld(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > abandonedMs;
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
