import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { dsg } from './harness.ts';

const names = commands.map(({ name }) => name);

describe('--help', () => {
  it.each(names)('%s', async (name) => {
    const help = await dsg([name, '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    await expect(help.stdout).toMatchFileSnapshot(`help/${name}.txt`);
  });

  it('of dsg itself, which is also printed where there is no command', async () => {
    const help = await dsg(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    await expect(help.stdout).toMatchFileSnapshot('help/dsg.txt');
    expect(await dsg([])).toEqual({ code: 1, stdout: '', stderr: help.stdout });
  });

  it('fits its lines into the terminal', async () => {
    for (const name of names) {
      const { stdout } = await dsg([name, '--help']);
      const examples = stdout.indexOf('Examples:');
      const lines = stdout.slice(0, examples < 0 ? undefined : examples).split('\n');
      expect(lines.filter((line) => line.length > 100)).toEqual([]);
    }
  });

  it('is in colour on a terminal that wants it', async () => {
    const args = ['restore', '--help'];
    expect((await dsg(args, { terminal: true })).stdout).toContain('\u001B[1m');
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }])
      expect((await dsg(args, { terminal: true, env })).stdout).not.toContain('\u001B');
    expect((await dsg(args)).stdout).not.toContain('\u001B');
  });
});

describe('help', () => {
  it('is the same as --help', async () => {
    for (const name of names)
      expect(await dsg(['help', name])).toEqual(await dsg([name, '--help']));
    expect((await dsg(['help'])).stdout).toContain('Usage: dsg ');
  });

  it('lists exit codes', async () => {
    const { code, stdout } = await dsg(['help', 'exit-codes']);
    expect(code).toBe(0);
    for (const each of ['  0  done', '  1  ', '  2  a defect', '130  interrupted'])
      expect(stdout).toContain(each);
  });

  it('lists kinds of losses and their options', async () => {
    const { code, stdout } = await dsg(['help', 'losses']);
    expect(code).toBe(0);
    await expect(stdout).toMatchFileSnapshot('help/losses.txt');
  });

  it('says what there is help on', async () => {
    const { code, stderr } = await dsg(['help', 'nothing']);
    expect(code).toBe(1);
    expect(stderr).toContain("error: no help on 'nothing'; there is help on restore, generate,");
  });
});

it('a mistyped command is met with a suggestion', async () => {
  const { code, stderr } = await dsg(['restor']);
  expect(code).toBe(1);
  expect(stderr).toBe(
    "error: unknown command 'restor'\n(Did you mean restore?)\n" +
      'usage: dsg [options] [command]\nhint: see `dsg --help`\n',
  );
});

describe('completion', () => {
  const folder = temporaryFolder();

  /** What bash offers for the last of these words. */
  async function offered(...words: string[]): Promise<string[]> {
    const script = join(folder, 'completion.bash');
    writeFileSync(script, (await dsg(['completion', 'bash'])).stdout);
    const line = words.map((w) => `'${w}'`).join(' ');
    const ask = `source ${script}; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _dsg; echo "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', ask], { encoding: 'utf8' }).trim().split(' ');
  }

  it.skipIf(process.platform === 'win32')('works in bash', async () => {
    expect(await offered('dsg', 're')).toContain('restore');
    expect(await offered('dsg', 'restore', '--task', '')).toEqual(['inpaint', 'sr', 'deblur']);
    expect(await offered('dsg', 'restore', 'x.png', '-t', 's')).toEqual(['sr']);
    expect(await offered('dsg', 'restore', '--kern')).toEqual([
      '--kernel-size',
      '--kernel-std',
      '--kernel',
    ]);
    expect(await offered('dsg', 'completion', '')).toContain('fish');
    expect(await offered('dsg', 'restore', '--mask', 'a')).toEqual(['']);
    expect(await offered('dsg', 'restore', '')).toEqual(['']);
  });

  it.each([
    ['zsh', ["'(-t --task)'{-t,--task}'[the degradation", ':value:(inpaint sr deblur)']],
    ['fish', ["-s t -l task -xa 'inpaint sr deblur'", '-l mask -r']],
  ])('knows options and choices in %s', async (shell, expected) => {
    const { code, stdout } = await dsg(['completion', shell]);
    expect(code).toBe(0);
    for (const text of expected) expect(stdout).toContain(text);
  });

  it('refuses other shells', async () => {
    const { code, stderr } = await dsg(['completion', 'tcsh']);
    expect(code).toBe(1);
    expect(stderr).toContain('Allowed choices are bash, zsh, fish.');
  });
});
