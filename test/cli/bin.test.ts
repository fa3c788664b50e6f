import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';

const folder = temporaryFolder();

it('says plainly that it is not built', () => {
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  copyFileSync(join(import.meta.dirname, '../../bin/dsg.js'), join(folder, 'bin/dsg.js'));
  const done = spawnSync(process.execPath, [join(folder, 'bin/dsg.js')], { encoding: 'utf8' });
  expect(done).toMatchObject({
    status: 1,
    stdout: '',
    stderr: 'error: dsg is not built\nhint: run `npm run build`\n',
  });
});
