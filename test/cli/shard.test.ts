/** Parts of a run, as said by hand and as cluster engines say it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shardKind, shardOf, shareOf } from '../../src/cli/shard.ts';
import { digestsOf } from '../helpers/digests.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { canStartSlurm, startSlurm } from '../helpers/slurm.ts';
import { dsg, expectDone, filesIn, restore, writePicture } from './harness.ts';
import { writeShrinking } from './models.ts';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const root = join(import.meta.dirname, '../..');
const model = writeShrinking(at('model.onnx'));
const names = ['a', 'b', 'c', 'd', 'e'];
for (const [i, name] of names.entries()) await writePicture(at(`clean/${name}.png`), 16, i);
const options = ['--task', 'deblur', '--model', model, '--steps', '2', '--device', 'cpu'];
const whole = at('whole');
expectDone(await restore([at('clean'), ...options, '-o', whole]));
const images = names.map((name) => `${name}.png`);

describe('--shard', () => {
  it.each([
    ['2/3', {}, { index: 2, count: 3 }],
    [
      'auto',
      {
        SLURM_ARRAY_TASK_ID: '7',
        SLURM_ARRAY_TASK_MIN: '3',
        SLURM_ARRAY_TASK_MAX: '9',
        SLURM_ARRAY_TASK_STEP: '2',
        SLURM_ARRAY_TASK_COUNT: '4',
      },
      { index: 3, count: 4 },
    ],
    [
      'auto',
      { SGE_TASK_ID: '2', SGE_TASK_FIRST: '1', SGE_TASK_LAST: '4', SGE_TASK_STEPSIZE: '1' },
      { index: 2, count: 4 },
    ],
    ['auto/8', { JOB_COMPLETION_INDEX: '0' }, { index: 1, count: 8 }],
    ['auto/8', { PBS_ARRAY_INDEX: '8' }, { index: 8, count: 8 }],
    ['auto/3', { PARALLEL_SEQ: '3', SGE_TASK_ID: 'undefined' }, { index: 3, count: 3 }],
  ])('%s with %j', (given, env, shard) => {
    expect(shardOf(shardKind.parse(given), env)).toEqual(shard);
  });

  it.each([
    ['auto', {}, 'no variable of a cluster engine is set'],
    ['auto', { JOB_COMPLETION_INDEX: '0' }, 'Kubernetes does not tell how many tasks there are'],
    ['auto/4', { JOB_COMPLETION_INDEX: '4' }, 'JOB_COMPLETION_INDEX is 4, expected 4 tasks from 0'],
    ['auto/4', { PBS_ARRAY_INDEX: '0' }, 'PBS_ARRAY_INDEX is 0, expected 4 tasks from 1'],
    ['auto/4', { PARALLEL_SEQ: 'x' }, "PARALLEL_SEQ is 'x', expected an integer"],
    ['auto/2', { PARALLEL_SEQ: '1', PBS_ARRAY_INDEX: '1' }, 'PBS sets PBS_ARRAY_INDEX, GNU'],
    [
      'auto',
      {
        SLURM_ARRAY_TASK_ID: '7',
        SLURM_ARRAY_TASK_MIN: '1',
        SLURM_ARRAY_TASK_MAX: '7',
        SLURM_ARRAY_TASK_COUNT: '3',
      },
      '3 tasks numbered with gaps',
    ],
  ])('%s with %j is refused', (given, env, message) => {
    expect(() => shardOf(shardKind.parse(given), env)).toThrow(message);
  });

  it.each(['0/2', '3/2', '1', '1/0', 'auto/0', 'a/b', ''])("'%s' is refused", (given) => {
    expect(() => shardKind.parse(given)).toThrow('Expected I/N');
  });

  it('parts every list into disjoint shares, whatever its order', () => {
    for (let n = 0; n < 12; n++)
      for (let count = 1; count < 9; count++) {
        const inputs = Array.from({ length: n }, (_, i) => ({ file: '', name: `${(i * 5) % n}` }));
        const shares = Array.from({ length: count }, (_, i) =>
          shareOf(i % 2 ? inputs : inputs.toReversed(), { index: i + 1, count }),
        );
        const all = shares.flat().map((input) => input.name);
        expect(all.sort()).toEqual(inputs.map((input) => input.name).sort());
        const sizes = shares.map((share) => share.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
  });

  it('gives together, side by side in one folder, what one run gives, and its report', async () => {
    const out = at('shards');
    const parts = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((i) =>
        restore([at('clean'), ...options, '-o', out, '--shard', `${i}/6`]),
      ),
    );
    parts.forEach(expectDone);
    expect(filesIn(out)).toEqual(filesIn(whole));
    expect(digestsOf(out, images)).toEqual(digestsOf(whole, images));
    const merged = await dsg(['summary', out, '--json']);
    const again = await restore([at('clean'), ...options, '-o', out, '--resume', '--json']);
    expect(JSON.parse(merged.stdout)).toEqual(JSON.parse(again.stdout));
    expect((await dsg(['summary', out])).stdout).toMatch(/5 results\n$/);
  });
});

/** Runs a script of configs/cluster with the built program; skipped where either is missing. */
function canRun(program: string): boolean {
  const built = existsSync(join(root, 'dist/cli/main.js'));
  return built && spawnSync('which', [program]).status === 0;
}

const env = { ...process.env, DSG: join(root, 'bin/dsg.js') };

it.skipIf(!canRun('parallel'))('GNU parallel: configs/cluster/parallel.sh', () => {
  const out = at('parallel');
  const script = join(root, 'configs/cluster/parallel.sh');
  const done = spawnSync('sh', [script, '3', at('clean'), out, ...options], {
    encoding: 'utf8',
    env,
  });
  expect({ status: done.status, stderr: done.stderr }).toMatchObject({ status: 0 });
  expect(digestsOf(out, images)).toEqual(digestsOf(whole, images));
});

it.skipIf(!canRun('sbatch') || !canStartSlurm)(
  'Slurm: configs/cluster/slurm.sh',
  { timeout: 300_000 },
  async () => {
    const out = at('slurm');
    mkdirSync(at('logs'));
    const script = join(root, 'configs/cluster/slurm.sh');
    const job = ['--array=1-3', '--wait', '--cpus-per-task=1', `--output=${at('logs')}/%a.txt`];
    const cluster = await startSlurm(at('cluster'));
    try {
      const done = spawnSync('sbatch', [...job, script, at('clean'), out, ...options], {
        encoding: 'utf8',
        env: { ...env, ...cluster.env },
      });
      expect({ status: done.status, stderr: done.stderr }).toEqual({ status: 0, stderr: '' });
    } finally {
      await cluster.stop();
    }
    expect(filesIn(at('logs'))).toEqual(['1.txt', '2.txt', '3.txt']);
    expect(digestsOf(out, images)).toEqual(digestsOf(whole, images));
  },
);
