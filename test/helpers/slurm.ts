/** A Slurm cluster of this machine alone, for as long as a test needs it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Cluster {
  /** What sbatch needs to find it. */
  readonly env: NodeJS.ProcessEnv;
  /** Ends it, and waits until nothing writes into its folder. */
  stop(): Promise<void>;
}

const daemons = ['slurmctld', 'slurmd'] as const;

/** Whether Slurm is installed and may be started: its daemons want to be root. */
export const canStartSlurm =
  process.getuid?.() === 0 &&
  [...daemons, 'sbatch', 'sinfo'].every((program) => spawnSync('which', [program]).status === 0);

/** Starts controller and node on ports of their own, and waits until the node takes jobs. */
export async function startSlurm(folder: string): Promise<Cluster> {
  const port = 20_000 + (process.pid % 20_000);
  const at = (name: string): string => join(folder, name);
  for (const name of ['state', 'spool']) mkdirSync(at(name), { recursive: true });
  const host = hostname();
  const settings = {
    ClusterName: 'dsg',
    SlurmctldHost: `${host}(127.0.0.1)`,
    SlurmctldPort: port,
    SlurmdPort: port + 1,
    SlurmUser: 'root',
    AuthType: 'auth/none',
    CredType: 'cred/none',
    StateSaveLocation: at('state'),
    SlurmdSpoolDir: at('spool'),
    SlurmctldPidFile: at('slurmctld.pid'),
    SlurmdPidFile: at('slurmd.pid'),
    ProctrackType: 'proctrack/pgid',
    TaskPlugin: 'task/none',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_CPU',
    MailProg: '/bin/true',
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  lines.push(`NodeName=${host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN`);
  lines.push(`PartitionName=all Nodes=ALL Default=YES State=UP`);
  writeFileSync(at('slurm.conf'), `${lines.join('\n')}\n`);
  const env = { ...process.env, SLURM_CONF: at('slurm.conf') };
  const running: ChildProcess[] = daemons.map((daemon) => {
    const log = openSync(at(`${daemon}.log`), 'w');
    return spawn(daemon, ['-D'], { env, stdio: ['ignore', log, log] });
  });
  const ended = running.map((child) => once(child, 'exit'));
  const stop = async (): Promise<void> => {
    for (const child of running) child.kill();
    await Promise.all(ended);
  };
  const idle = (): boolean =>
    spawnSync('sinfo', ['--noheader', '--format=%T'], { env, encoding: 'utf8' }).stdout.startsWith(
      'idle',
    );
  for (let tries = 0; !idle(); tries++) {
    if (tries === 60) {
      await stop();
      throw new Error(`Slurm did not start; see ${folder}`);
    }
    await sleep(500);
  }
  return { env, stop };
}
