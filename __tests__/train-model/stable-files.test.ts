import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { closeFiles, openFiles } from '../../src/train-model/stable-files.ts';
import { temporaryFolder } from '../helpers/runner.ts';

const namesIn = async (outputDir: string) => {
  const files = await openFiles(outputDir, 'checkpoint');
  await closeFiles(files);
  return files.map(({ name }) => name).sort();
};

test.runIf(process.platform === 'linux')(
  'a file is read as it was opened, whatever gets its name meanwhile',
  async () => {
    const outputDir = temporaryFolder();
    const path = join(outputDir, 'checkpoint', 'checkpoint.pt');
    mkdirSync(join(outputDir, 'checkpoint'));
    writeFileSync(path, 'old');
    const [file] = await openFiles(outputDir, 'checkpoint');
    writeFileSync(`${path}.new`, 'new');
    renameSync(`${path}.new`, path);
    expect(readFileSync(file?.path ?? '', 'utf8')).toBe('old');
    await closeFiles(file ? [file] : []);
  },
);

test.runIf(process.platform === 'linux')(
  'hidden files, links and pipes are left, files in folders are not',
  async () => {
    const outputDir = temporaryFolder();
    const folder = join(outputDir, 'checkpoint');
    mkdirSync(join(folder, 'fold-1'), { recursive: true });
    for (const name of ['checkpoint.pt', 'fold-1/score.json', '.checkpoint.pt.tmp'])
      writeFileSync(join(folder, name), 'x');
    symlinkSync('/etc/passwd', join(folder, 'passwd'));
    symlinkSync('/etc', join(folder, 'etc'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect(await namesIn(outputDir)).toEqual(['checkpoint.pt', 'fold-1/score.json']);
  },
);

test.runIf(process.platform === 'linux')('a link in place of the folder leads nowhere', async () => {
  const [outputDir, elsewhere] = [temporaryFolder(), temporaryFolder()];
  writeFileSync(join(elsewhere, 'secret'), 'x');
  symlinkSync(elsewhere, join(outputDir, 'checkpoint'));
  expect(await namesIn(outputDir)).toEqual([]);
});

test('no folder is no file', async () => {
  expect(await namesIn(temporaryFolder())).toEqual([]);
});
